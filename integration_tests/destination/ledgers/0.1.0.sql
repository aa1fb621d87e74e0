CREATE TABLE ats_ledger (
	version INTEGER NOT NULL,
	hash_key VARCHAR(64) NOT NULL,
	PRIMARY KEY (version)
);
INSERT INTO "ats_ledger" VALUES(1,'ec6952a666c2e5af62a1ed2206fa838526e4370eb9b946ec6f4ab24f523dfadd');
CREATE TABLE ats_ledger_entries (
	position_uid TEXT NOT NULL,
	partner_candidate_id TEXT NOT NULL,
	stream TEXT NOT NULL,
	standing VARCHAR(16) NOT NULL,
	uid TEXT,
	noted_at VARCHAR(20) NOT NULL,
	changed_at VARCHAR(20) NOT NULL,
	hashes TEXT NOT NULL,
	PRIMARY KEY (position_uid, partner_candidate_id)
);
INSERT INTO "ats_ledger_entries" VALUES('4A.1C2','people:1:north%3A1','people','there','B3.000','2026-11-28T10:39:47Z','2026-11-28T10:39:48Z','{"first_name":"IKhaaMvPDBkh","last_name":"5WO0vZQL5/14","email":"YbSxslsW1oOY","phone":"YXqA3REq5bN0","prospect_status":"b9Zj411FuJiw","address":"OyqWi8hDY+0a","note":"hhr0onzNzYBw"}');
INSERT INTO "ats_ledger_entries" VALUES('4A.1C2','people:2:north%3A1','people','there','B3.001','2026-11-28T10:39:48Z','2026-11-28T10:39:48Z','{"first_name":"IKhaaMvPDBkh","last_name":"DFP91zEffJrq","email":"fFxJRgobqac0","phone":"kvKX9G7KpcHe","prospect_status":"b9Zj411FuJiw","address":"OyqWi8hDY+0a","note":"hhr0onzNzYBw"}');
INSERT INTO "ats_ledger_entries" VALUES('4A.1C2','candidates:7kQmW3xTzB9sLp2VhNfRc4Yd','candidates','there','B3.002','2026-11-28T10:39:48Z','2026-11-28T10:39:48Z','{"first_name":"nu+yZ2bm0m4P","last_name":"mydTv8w5+oF2","email":"enW5XrRohRq0","mobile_phone":"Z/ivrQymb34B"}');
INSERT INTO "ats_ledger_entries" VALUES('4C.0F7','candidates:7kQmW3xTzB9sLp2VhNfRc4Yd','candidates','there','B3.003','2026-11-28T10:39:48Z','2026-11-28T10:39:48Z','{"first_name":"nu+yZ2bm0m4P","last_name":"mydTv8w5+oF2","email":"enW5XrRohRq0","mobile_phone":"Z/ivrQymb34B"}');
INSERT INTO "ats_ledger_entries" VALUES('4A.1C2','talemetry:0f8fad5b-d9cb-469f-a165-70867728950e','profiles','there','B3.004','2026-11-28T10:39:48Z','2026-11-28T10:39:48Z','{"first_name":"6Pjl18i4y6/f","last_name":"GAy+6eQRLmWA","email":"G90JX59hnTDM"}');
INSERT INTO "ats_ledger_entries" VALUES('4C.0F7','rows:77','rows','there','B3.005','2026-11-28T10:39:48Z','2026-11-28T10:39:48Z','{"first_name":"ni1ViJlc5o8P","last_name":"CkydgaV0vV2Z","email":"1DBxRl1f6JBV"}');
INSERT INTO "ats_ledger_entries" VALUES('4A.1C2','people:3:north%3A1','people','sending',NULL,'2026-11-28T10:39:55Z','2026-11-28T10:39:55Z','{"first_name":"IKhaaMvPDBkh","last_name":"2D/vO3bxoG+d","email":"iWM7JDFYspvU","phone":"O3GPC9nePALX","prospect_status":"b9Zj411FuJiw","address":"OyqWi8hDY+0a","note":"hhr0onzNzYBw"}');
CREATE TABLE ats_ledger_streams (
	stream TEXT NOT NULL,
	prefix TEXT NOT NULL,
	mapping_type TEXT NOT NULL,
	PRIMARY KEY (stream)
);
INSERT INTO "ats_ledger_streams" VALUES('people','people:','comeet');
INSERT INTO "ats_ledger_streams" VALUES('candidates','candidates:','kombo_candidates');
INSERT INTO "ats_ledger_streams" VALUES('profiles','talemetry:','talemetry_profiles');
INSERT INTO "ats_ledger_streams" VALUES('rows','rows:','custom');
CREATE INDEX ix_ats_ledger_entries_uid ON ats_ledger_entries (uid);
