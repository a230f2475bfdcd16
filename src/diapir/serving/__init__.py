"""The web service: a page to look at surveys, correct predictions and adapt a model, and its API.

`server` starts it. `app` joins the parts: `safety` (who may ask, from where), `routes` (the one
table of operations, from which `openapi` is written), `library` (files that may be opened),
`job_queue` (long work as child processes) and `predict_sections`. The page lies in `page/`.
"""
