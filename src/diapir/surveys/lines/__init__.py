"""Many lines as one job: finding them, predicting them, and files over all of them."""
