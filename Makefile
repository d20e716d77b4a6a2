# Thin aliases: dev.py does the work.
.PHONY: run test check bench proof lock
run test check bench proof lock:
	python3 dev.py $@
