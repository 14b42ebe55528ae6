"""One Chrome for several sessions of a worker: :mod:`.seats` says who is in which, :mod:`.program`
starts it, :mod:`.late_driver` brings WebDriver to a session once something asks for it.
"""
