"""The OpenAPI 3.1 document of our own API, written as data and held to the code by tests.

`document.py` puts it together: routes from routing/urls.py, errors from the table of codes, and one
module for each family of operations. Why by hand: docs/adr/0017-an-openapi-document-of-our-own.md.
"""
