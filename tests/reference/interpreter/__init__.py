"""A second reading of the policy language: small, naive, and without a line of `router`.

It is written from the text of the language and the docs, takes plain data (a document, a price book, calls, scripted
outcomes), and computes plainly what must happen. The engine is compared with it; where they disagree the text decides.
Speed, positions and messages are none of its business: it takes documents that `check` accepts.
"""
