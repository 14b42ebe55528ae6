#!/bin/sh
exec chromium-headless-shell --no-sandbox "$@"
