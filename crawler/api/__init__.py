"""The jobs API, whichever web framework carries it: a request as plain values in, an answer as
plain values out.

So the stand-alone server and the Django URLs cannot differ. Here are the routes, who may use them,
and what each error is called; what a job *is* lives in ``jobs``.
"""

from .api import PROBLEM, Answer, Api, Ask, Problem
from .tokens import Tokens

__all__ = ["PROBLEM", "Answer", "Api", "Ask", "Problem", "Tokens"]
