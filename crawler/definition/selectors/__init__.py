"""Tables of selectors, which take data from a page without code, by the name of the field that they
fill.

``rules`` is the grammar of a table and its faults, ``rendered`` the document as a reader sees it,
``tables`` takes the fields from it; ``json_ld`` and ``typed_values`` are parts of them. Importing
``rendered`` brings parsel, which takes 0.1 s: who may do without it imports it where it is used.

Belongs here: what a selector means. Does not: a live page (``browser/``), models of items
(``item_models``), which become tables.
"""
