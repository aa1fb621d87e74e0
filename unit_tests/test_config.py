"""The configuration: the form that users see, and what they are told when it does not hold."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest
from airbyte_cdk.models import ConnectorSpecificationSerializer
from airbyte_cdk.test.standard_tests._spec_lint import assert_spec_is_valid
from hypothesis import given, settings
from hypothesis import strategies as st

from source_ats import config
from source_ats.errors import ConfigError

CANARY = "canary"

FILLED_IN: dict[str, dict[str, Any]] = {
    "kombo": {
        "api_key": "ks_dev_made_up",
        "integration_ids": ["greenhouse:7kQmW3xTzB9sLp2VhNfRc4Yd"],
    },
    "talemetry": {"credentials": {"auth_type": "token", "token": "made-up"}},
    "atz_crm": {"access_token": "made-up"},
    "comeet": {"api_key": "made-up", "secret": "made-up"},
}
"""The least that a user has to fill in."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "kombo": {
        "region": "eu",
        "include_deleted": True,
        "full_read_every_days": 7,
        "page_size": 250,
    },
    "talemetry": {
        "exclude_sources": [],
        "exclude_life_cycles": [],
        "window_days": 30,
        "page_size": 100,
        "ids_per_request": 25,
        "concurrent_requests": 2,
    },
    "atz_crm": {
        "history_of": "every_candidate",
        "requests_per_minute": 55,
        "concurrent_requests": 4,
        "min_hours_between_passes": 1,
        "page_size": 100,
    },
    "comeet": {},
}
KEYS = {
    "kombo": {*DEFAULTS["kombo"], "api_key", "integration_ids", "base_url"},
    "talemetry": {
        *DEFAULTS["talemetry"],
        "credentials",
        "include",
        "ids_base_url",
        "profiles_base_url",
    },
    "atz_crm": {*DEFAULTS["atz_crm"], "access_token", "job_slug", "base_url"},
    "comeet": {"api_key", "secret", "base_url"},
}
"""What users type; changing a name breaks their configurations."""

SECRETS = {
    "kombo": {"api_key"},
    "talemetry": {"token", "client_id", "client_secret"},
    "atz_crm": {"access_token"},
    "comeet": {"api_key", "secret"},
}

BOUNDS = {
    ("lookback_minutes",): (0, 10080),
    ("kombo", "page_size"): (1, 250),
    ("talemetry", "ids_per_request"): (1, 100),
    ("talemetry", "concurrent_requests"): (1, 16),
    ("atz_crm", "requests_per_minute"): (1, 6000),
    ("atz_crm", "concurrent_requests"): (1, 16),
}

each_section = pytest.mark.parametrize("section", sorted(config.SECTIONS))


def form() -> dict[str, Any]:
    specification: dict[str, Any] = config.spec()["connectionSpecification"]
    return specification


def nodes(schema: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every object inside a schema, with where it stands."""
    if isinstance(schema, Mapping):
        yield path, schema
        for key, value in schema.items():
            yield from nodes(value, (*path, key))
    elif isinstance(schema, list):
        for number, value in enumerate(schema):
            yield from nodes(value, (*path, str(number)))


def properties(
    schema: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Yield every field of the form, with its path in a configuration."""
    for name, field in schema.get("properties", {}).items():
        yield (*path, name), field
        yield from properties(field, (*path, name))
    for variant in schema.get("oneOf", []):
        yield from properties(variant, path)


def set_at(path: tuple[str, ...], value: object) -> dict[str, Any]:
    """Return a good configuration with one field set to something else."""
    raw: dict[str, Any] = {name: dict(FILLED_IN[name]) for name in config.SECTIONS}
    at: dict[str, Any] = raw
    for name in path[:-1]:
        at[name] = dict(at.get(name, {}))
        at = at[name]
    at[path[-1]] = value
    return raw


def left_alone(section: str) -> dict[str, Any]:
    """Return what Airbyte's form sends for a section that the user did not touch."""
    filled: dict[str, Any] = {}
    for name, field in form()["properties"][section]["properties"].items():
        if "default" in field:
            filled[name] = field["default"]
        if "oneOf" in field:
            first = field["oneOf"][0]["properties"]
            filled[name] = {key: each["const"] for key, each in first.items() if "const" in each}
    return filled


def refusal(raw: Mapping[str, Any]) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        config.parse(raw)
    return caught.value


class TestForm:
    def test_form_uses_only_what_airbyte_understands(self) -> None:
        for path, node in nodes(form()):
            if path[-1:] == ("properties",):
                continue
            assert not {"anyOf", "allOf", "$ref", "$defs", "patternProperties"} & set(node), path
            assert node.get("type") != "null", path
            assert not isinstance(node.get("type"), list), path
            assert node.get("additionalProperties", True) is True, path
            if node.get("type") == "object":
                # A free-form map cannot be filled in.
                assert node.get("properties") or node.get("oneOf"), path

    def test_each_field_has_title_description_and_order(self) -> None:
        for path, field in properties(form()):
            assert field.get("title"), path
            if "const" in field:
                continue
            assert field.get("description"), path
            assert isinstance(field.get("order"), int), path

    def test_field_orders_are_unique(self) -> None:
        for path, node in nodes(form()):
            if path[-1:] == ("properties",):
                orders = [each["order"] for each in node.values() if "order" in each]
                assert len(orders) == len(set(orders)), path

    def test_expert_keys_come_last(self) -> None:
        for section in config.SECTIONS:
            fields = form()["properties"][section]["properties"]
            order = sorted(fields, key=lambda name: fields[name]["order"])
            urls = [name for name in order if name.endswith("base_url")]
            assert order[-len(urls) :] == urls

    def test_each_pattern_is_explained(self) -> None:
        for path, field in properties(form()):
            if "pattern" in field:
                assert field.get("pattern_descriptor"), path

    def test_each_one_of_has_a_const_discriminator(self) -> None:
        for path, field in properties(form()):
            if "oneOf" not in field:
                continue
            assert field.get("type") == "object", path
            constants = [
                {
                    name: each["const"]
                    for name, each in variant["properties"].items()
                    if "const" in each
                }
                for variant in field["oneOf"]
            ]
            (name,) = {name for each in constants for name in each}
            values = [each[name] for each in constants]
            assert len(values) == len(set(values)), path
            assert all(variant.get("title") for variant in field["oneOf"]), path
            assert all(name in variant["required"] for variant in field["oneOf"]), path

    @each_section
    def test_secrets_are_marked_and_nothing_else_is(self, section: str) -> None:
        fields = properties(form()["properties"][section])
        marked = {path[-1] for path, field in fields if field.get("airbyte_secret")}
        assert marked == SECRETS[section]

    def test_airbytes_own_lint_passes(self) -> None:
        specification = ConnectorSpecificationSerializer.load(config.spec())
        assert_spec_is_valid(specification, connector_name="source-ats")

    def test_it_is_a_json_schema_that_good_configurations_fulfil(self) -> None:
        jsonschema.Draft7Validator.check_schema(form())
        jsonschema.validate({name: FILLED_IN[name] for name in config.SECTIONS}, form())

    @each_section
    def test_defaults_alone_pass_the_platforms_validation(self, section: str) -> None:
        jsonschema.validate({section: left_alone(section)}, form())

    @each_section
    def test_names_are_the_documented_ones(self, section: str) -> None:
        assert set(form()["properties"][section]["properties"]) >= KEYS[section]

    def test_top_level_names_are_the_documented_ones(self) -> None:
        assert set(form()["properties"]) == {
            "start_date", "lookback_minutes", "privacy", *config.SECTIONS,
        }  # fmt: skip

    def test_examples_are_valid(self) -> None:
        for path, field in properties(form()):
            for example in field.get("examples", []):
                # The example of a secret shows how it begins.
                if field.get("airbyte_secret"):
                    example = example.replace("...", "made-up")  # noqa: PLW2901
                value = [example] if field["type"] == "array" else example
                if len(path) <= 2:
                    config.parse(set_at(path, value))


class TestDefaults:
    @each_section
    def test_only_credentials_and_ids_are_required(self, section: str) -> None:
        parsed = config.parse({section: FILLED_IN[section]})
        assert parsed.warnings == []
        value: object
        for name, value in DEFAULTS[section].items():
            got = getattr(getattr(parsed.config, section), name)
            assert (list(got) if isinstance(value, list) else got) == value
        assert parsed.config.lookback_minutes == 60
        assert parsed.config.start_date is None

    @pytest.mark.parametrize(
        ("path", "bounds"),
        [each for each in BOUNDS.items() if len(each[0]) == 1 or each[0][0] in config.SECTIONS],
    )
    def test_bounds(self, path: tuple[str, ...], bounds: tuple[int, int]) -> None:
        low, high = bounds
        config.parse(set_at(path, low))
        config.parse(set_at(path, high))
        assert ".".join(path) in refusal(set_at(path, low - 1)).message
        assert ".".join(path) in refusal(set_at(path, high + 1)).message

    def test_null_means_not_set(self) -> None:
        emptied = {path: None for path, _ in properties(form()) if len(path) == 2}
        for path in emptied:
            if path[-1] not in FILLED_IN.get(path[0], {}):
                given_null = config.parse(set_at(path, None))
                given_nothing = config.parse({name: FILLED_IN[name] for name in config.SECTIONS})
                assert given_null == given_nothing, path
        config.parse(set_at(("start_date",), None))
        config.parse(set_at(("lookback_minutes",), None))

    @each_section
    def test_section_of_defaults_counts_as_absent(self, section: str) -> None:
        untouched: Mapping[str, Any] | None
        for untouched in (
            {},
            None,
            left_alone(section),
            {**left_alone(section), **dict.fromkeys(FILLED_IN[section])},
            {**left_alone(section), "base_url": ""},
        ):
            others = {name: FILLED_IN[name] for name in config.SECTIONS if name != section}
            if others:
                assert getattr(config.parse({**others, section: untouched}).config, section) is None
            else:
                assert section in refusal({section: untouched}).message

    @each_section
    def test_partly_filled_section_is_not_absent(self, section: str) -> None:
        begun = {**left_alone(section), "page_size": 17}
        assert f"{section}." in refusal({section: begun}).message

    @pytest.mark.parametrize("auth_type", ["client_credentials", "nonsense"])
    def test_a_kind_of_credentials_that_the_user_has_chosen_is_not_absent(
        self, auth_type: str
    ) -> None:
        chosen = {"credentials": {"auth_type": auth_type}}
        for others in ({}, {"kombo": FILLED_IN["kombo"]}):
            assert "talemetry.credentials" in refusal({**others, "talemetry": chosen}).message

    def test_configuration_without_vendor_lists_the_sections(self) -> None:
        for raw in ({}, {"start_date": "2025-01-01T00:00:00Z"}):
            message = refusal(raw).message
            assert all(section in message for section in config.SECTIONS)


class TestUnknownKeys:
    def test_unknown_key_is_warned_of_with_its_path_and_the_nearest_key(self) -> None:
        raw = set_at(("kombo", "page_sise"), CANARY) | {"start_dat": CANARY, "shape": CANARY}
        raw["talemetry"] = {"credentials": {"auth_type": "token", "token": "t", "url": CANARY}}
        assert config.parse(raw).warnings == [
            "The configuration key kombo.page_sise is unknown and ignored. Did you mean page_size?",
            "The configuration key talemetry.credentials.url is unknown and ignored.",
            "The configuration key start_dat is unknown and ignored. Did you mean start_date?",
            "The configuration key shape is unknown and ignored.",
        ]

    def test_many_unknown_keys_are_summed_up(self) -> None:
        warnings = config.parse({**FILLED_IN, **{f"{CANARY}{n}": n for n in range(25)}}).warnings
        assert len(warnings) == 11
        assert warnings[-1] == "15 more configuration keys are unknown and ignored."

    def test_a_misspelt_key_is_named_where_the_right_one_is_missing(self) -> None:
        raw = {"kombo": {"apikey": "made-up", "integration_ids": ["greenhouse:made-up"]}}
        message = refusal(raw).message
        assert "kombo.api_key: is required. " in message
        assert "kombo.apikey is unknown and ignored. Did you mean api_key?" in message

    def test_a_misspelt_section_is_named(self) -> None:
        message = refusal({"combo": FILLED_IN["kombo"]}).message
        assert "combo is unknown and ignored. Did you mean kombo?" in message

    def test_platform_keys_are_not_warned_of(self) -> None:
        assert config.parse(set_at(("__injected_declarative_manifest",), {})).warnings == []


NOT_MOMENTS: list[object] = [
    CANARY,
    f"2025-01-01T00:00:00{CANARY}",
    "2025-13-01",
    20250101,
    [],
    {},
    True,
]

BAD_VALUES: list[tuple[tuple[str, ...], object]] = [
    *[(("start_date",), value) for value in NOT_MOMENTS],
    *[(("lookback_minutes",), value) for value in (CANARY, 1.5, [CANARY], "1h")],
    *[(("kombo",), value) for value in (CANARY, [CANARY], 7, True)],
    *[
        (("kombo", "api_key"), value)
        for value in ("", " ", None, 5, [CANARY], f"{CANARY} key", f"{CANARY}\nkey", f"{CANARY}é")
    ],
    *[
        (("kombo", "integration_ids"), value)
        for value in ([], None, CANARY, [""], [5], [None], [f"{CANARY} id"], {CANARY: CANARY})
    ],
    *[(("kombo", "region"), value) for value in (CANARY, "EU ", 1)],
    *[(("kombo", "include_deleted"), value) for value in (CANARY, [CANARY], 2)],
    *[(("kombo", "full_read_every_days"), value) for value in (-1, CANARY, 1.5)],
    *[(("kombo", "page_size"), value) for value in (CANARY, [CANARY], 1.5)],
    *[
        (("kombo", "base_url"), value)
        for value in (
            CANARY,
            f"ftp://{CANARY}.example.com",
            f"https://{CANARY}@example.com",
            f"https://user:{CANARY}@example.com",
            f"https://example.com/v1?key={CANARY}",
            f"https://example.com/v1#{CANARY}",
            "https://",
            f"https://[{CANARY}]/v1",
            f"https://{CANARY}\u2100.example.com/v1",
            f"https://example.com:{CANARY}/v1",
            "https://example.com:99999/v1",
            "https://example..com/v1",
            f"//{CANARY}.example.com",
            5,
        )
    ],
]


class TestRefusals:
    @pytest.mark.parametrize(("path", "value"), BAD_VALUES)
    def test_the_field_is_named_and_no_value_is_shown(
        self, path: tuple[str, ...], value: object
    ) -> None:
        error = refusal(set_at(path, value))
        assert ".".join(path) in error.message
        assert CANARY not in f"{error} {error.message} {error.detail}"

    def test_form_rejects_useless_values(self) -> None:
        for path, field in properties(form()):
            nonsense: object = [{CANARY: CANARY}] if field.get("type") != "array" else CANARY
            if "const" in field:
                continue
            if len(path) <= 2:
                error = refusal(set_at(path, nonsense))
                assert ".".join(path) in error.message
                assert CANARY not in f"{error} {error.message} {error.detail}"

    def test_all_wrong_fields_are_named_at_once(self) -> None:
        raw = {"lookback_minutes": -1, "kombo": {"integration_ids": [], "page_size": 0}}
        message = refusal(raw).message
        for name in (
            "lookback_minutes",
            "kombo.api_key",
            "kombo.integration_ids",
            "kombo.page_size",
        ):
            assert name in message

    def test_missing_field_says_where_to_find_it(self) -> None:
        described = form()["properties"]["kombo"]["properties"]["api_key"]["description"]
        message = refusal({"kombo": {"integration_ids": ["greenhouse:made-up"]}}).message
        assert "kombo.api_key: is required." in message
        assert described in message

    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1.example.com/v1",
            "http://localhost.example.com/v1",
            "http://10.0.0.1:8000/v1",
            "http://0.0.0.0:8000/v1",
            "http://[::2]:8000/v1",
            "http://api.kombo.dev/v1",
        ],
    )
    def test_plain_http_is_for_loopback_only(self, url: str) -> None:
        error = refusal(set_at(("kombo", "base_url"), url))
        assert "kombo.base_url" in error.message
        assert "https" in error.message

    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1:8000/v1",
            "http://127.8.8.8/v1",
            "http://localhost:8000",
            "http://[::1]:8000/v1",
            "https://proxy.example.com:8443/kombo/v1/",
        ],
    )
    def test_a_good_url_is_kept_without_its_last_slash(self, url: str) -> None:
        kombo = config.parse(set_at(("kombo", "base_url"), url)).config.kombo
        assert kombo is not None
        assert kombo.base_url == url.rstrip("/")


class TestPlaceholders:
    @pytest.mark.parametrize(
        "placeholder",
        [
            "...",
            "ks_prod_...",
            "ks_prod_\u2026",
            "<your token>",
            "YOUR_API_KEY",
            "your-kombo-api-key",
            "changeme",
            "CHANGE_ME",
            "replace-this",
            "paste key here",
            "TODO",
            "xxxxxxxx",
            "${KOMBO_API_KEY}",
            "{{ kombo_api_key }}",
        ],
    )
    def test_the_field_that_holds_one_is_named(self, placeholder: str) -> None:
        message = refusal(set_at(("kombo", "api_key"), placeholder)).message
        assert message.startswith(
            "The configuration is not usable. kombo.api_key: still holds a placeholder. Key of one"
        )
        assert message.count("kombo.api_key") == 1

    def test_the_place_in_a_list_and_in_a_choice_is_named(self) -> None:
        raw = set_at(("kombo", "integration_ids"), ["greenhouse:made-up", "<integration id>"])
        raw["talemetry"] = {"credentials": {"auth_type": "token", "token": "TGC-..."}}
        message = refusal(raw).message
        assert "kombo.integration_ids[1]: still holds a placeholder." in message
        assert "talemetry.credentials.token: still holds a placeholder." in message

    @pytest.mark.parametrize("value", ["yours", "ks_dev_xxl", "todo1", "a<b>c", "changed"])
    def test_other_values_are_none(self, value: str) -> None:
        assert config.parse(set_at(("kombo", "api_key"), value)).warnings == []


class TestStartDate:
    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            ("2025-01-01T00:00:00Z", "2025-01-01T00:00:00+00:00"),
            ("2025-01-01T02:00:00+02:00", "2025-01-01T00:00:00+00:00"),
            ("2025-01-01T00:00:00.250Z", "2025-01-01T00:00:00.250000+00:00"),
            ("2025-01-01T00:00:00", "2025-01-01T00:00:00+00:00"),
            ("2025-01-01", "2025-01-01T00:00:00+00:00"),
            (" 2025-01-01T00:00:00Z ", "2025-01-01T00:00:00+00:00"),
        ],
    )
    def test_start_date_is_utc(self, text: str, moment: str) -> None:
        start = config.parse(set_at(("start_date",), text)).config.start_date
        assert start is not None
        assert start.isoformat() == moment

    @pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
    def test_impossible_date_is_rejected(self, text: str) -> None:
        assert "start_date" in refusal(set_at(("start_date",), text)).message

    def test_dates_the_form_accepts_are_valid(self) -> None:
        pattern = re.compile(form()["properties"]["start_date"]["pattern"])
        for text in ("2025-01-31", "2025-01-31T10:20:30Z", "2025-01-31T10:20:30.5-03:30"):
            assert pattern.search(text)
            config.parse(set_at(("start_date",), text))


class TestIntegrationIds:
    def test_duplicate_ids_are_dropped_in_order(self) -> None:
        kombo = config.parse(
            set_at(("kombo", "integration_ids"), ["b:2", "a:1", "b:2"])
        ).config.kombo
        assert kombo is not None
        assert list(kombo.integration_ids) == ["b:2", "a:1"]

    def test_surrounding_blanks_are_stripped(self) -> None:
        kombo = config.parse(set_at(("kombo", "api_key"), " ks_dev_made_up\n")).config.kombo
        assert kombo is not None
        assert kombo.api_key == "ks_dev_made_up"


ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["https://[", "http://localhost", "2025-01-01", "token", "eu"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=4) | st.sampled_from(sorted({p[-1] for p, _ in properties(form())})),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
ANY_SECTION = {
    section: st.fixed_dictionaries(
        {}, optional=dict.fromkeys(form()["properties"][section]["properties"], ANY_JSON)
    )
    | ANY_JSON
    for section in config.SECTIONS
}


@given(
    raw=st.dictionaries(st.text(max_size=4), ANY_JSON, max_size=3)
    | st.fixed_dictionaries(
        {}, optional={"start_date": ANY_JSON, "lookback_minutes": ANY_JSON, **ANY_SECTION}
    )
)
@settings(max_examples=120)
def test_any_configuration_is_accepted_or_rejected(raw: dict[str, Any]) -> None:
    # Any other exception is a bug.
    with contextlib.suppress(ConfigError):
        assert isinstance(config.parse(raw), config.Parsed)


@pytest.mark.parametrize("of", [1, 3, 4])
def test_shares_of_a_token_add_up_to_its_limits(of: int) -> None:
    whole = config.parse(FILLED_IN).config
    shares = [config.shared(whole, number, of) for number in range(of)]
    atz = [each.atz_crm for each in shares if each.atz_crm]
    assert sum(each.requests_per_minute for each in atz) == 55
    assert sum(each.concurrent_requests for each in atz) == 4
    # What has no limit, and all that is no limit, stays.
    assert all(each.kombo == whole.kombo for each in shares)


def test_shares_never_exceed_the_smallest_limit() -> None:
    assert min(config.limits(config.parse(FILLED_IN).config)) == 2
    kombo_alone = config.parse({"kombo": FILLED_IN["kombo"]}).config
    assert config.limits(kombo_alone) == []
    assert config.seconds_between_calls(kombo_alone) == 0
    atz_alone = config.parse({"atz_crm": FILLED_IN["atz_crm"]}).config
    assert config.seconds_between_calls(config.shared(atz_alone, 0, 4)) == 60 / 13
