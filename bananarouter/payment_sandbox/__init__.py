"""A sandbox that plays Stripe, Alipay and WeChat Pay on this machine. No real money moves.

It speaks the subset of their APIs that billing.processors uses, signs what it sends, and has a
page where a payer pays. `manage.py run` starts it when no real processor is set; tests turn its
knobs. It keeps everything in memory and forgets it when it ends.
"""
