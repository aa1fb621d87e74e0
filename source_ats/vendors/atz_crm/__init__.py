"""ATZ CRM: candidates, deals, and the stages that candidates went through.

Only GET is sent: the vendor's DELETE requests have the same URLs. Next to the files that every
vendor package has (`config`, `requests`, `responses`, `schemas`, `streams`, `check`) there are:

- `lists.py`: the streams of candidates and deals
- `history.py`: the stream of histories; `history_pass.py`: the steps of a pass over the candidates
- `list_reader.py`: a list page by page, and how its end is recognized
- `listing_index.py`: what a list has shown, on disk

The API filters no list by time and its pages shift while they are read. That is why lists and
histories take more than one file.
"""
