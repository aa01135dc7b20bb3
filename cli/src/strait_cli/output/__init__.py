"""How an answer is shown (cli 2).

Data goes to standard output, everything else to standard error. `resources`
says what a person sees of each kind of thing, `formats` writes for programs,
`table` writes for people, `writer` decides between them and is the only module
that touches the two streams.
"""
