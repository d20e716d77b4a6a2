"""Money that comes in: orders, notices of processors, refunds, disputes, books.

Only a verified notice, told by a webhook or asked for, ever moves an order to paid.
"""
