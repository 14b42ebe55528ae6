"""Things that a page leaves besides its document: pictures, downloads, response details, log-ins.

Belongs here: what is taken from a session or put into it. Does not: what is read from the document
(``browser/page``).
"""
