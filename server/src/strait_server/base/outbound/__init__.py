"""Our own HTTP/1.1 client: the way out of the house.

Dispatch is what Strait exists for, so a request on a warm connection costs one
write, one timer and one future. An endpoint's URL is an order given by a
stranger, so it is safe by construction: `urls` refuses what is wrong in the
text, `resolver` refuses a name with even one address inside our walls, and
`dialer` connects to the very address that was checked, never to a name.
Whatever the other side does, a request ends within its deadline, in bounded
memory, as a `Response` or as an `OutboundError` of one kind.

This package refuses to know what a job is, when to try again, and every part
of HTTP that endpoints do not need: redirects, proxies, cookies, compression,
`HEAD`, pipelining, HTTP/2.
"""
