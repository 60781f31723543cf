#!/bin/sh
# Starts Koor in this terminal; Ctrl-C ends it. Its data is in {{ data_dir }}.
exec {{ program }} serve --bind {{ bind }} --data-dir {{ data_dir }}{% if token_file %} --auth-token-file {{ token_file }}{% endif %} "$@"
