"""A made-up portfolio to try the product on: six vendors, fourteen sites, fourteen months, and planted stories.

`portfolio` says who there is and what happens to them, `generating` turns that into daily counts, `server` plays the
vendors' reporting systems as a process of its own, `drops` writes the files of those who send files, and `documents`
holds the contracts, calendars and sources. No name here belongs to a real company.
"""
