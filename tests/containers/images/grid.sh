#!/bin/sh
# A hub; a node where a hub is named, as Selenium's images tell the two apart by their names.
set -eu
java() { exec /usr/bin/java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '/opt/grid/*' org.openqa.selenium.grid.Bootstrap "$@" --tracing false; }
[ -n "${SE_EVENT_BUS_HOST:-}" ] || java hub --session-request-timeout "$SE_SESSION_REQUEST_TIMEOUT"
# a driver has a limit of its own, which the option for all of them does not raise
sed "s/@SESSIONS@/$SE_NODE_MAX_SESSIONS/" /opt/grid/node.toml > /tmp/node.toml
java node --config /tmp/node.toml --grid-url "$SE_NODE_GRID_URL" \
    --publish-events "tcp://$SE_EVENT_BUS_HOST:$SE_EVENT_BUS_PUBLISH_PORT" \
    --subscribe-events "tcp://$SE_EVENT_BUS_HOST:$SE_EVENT_BUS_SUBSCRIBE_PORT" \
    --max-sessions "$SE_NODE_MAX_SESSIONS" --override-max-sessions "$SE_NODE_OVERRIDE_MAX_SESSIONS" \
    --session-timeout "$SE_NODE_SESSION_TIMEOUT" --heartbeat-period 5 --register-cycle 1
