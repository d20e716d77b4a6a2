"""Payment processors: one module each behind the interface of `base`; sole speakers of them."""
