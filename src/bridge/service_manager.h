/*
 * service_manager: tells systemd the state of the service (sd_notify(3)); without systemd, does
 * nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BRIDGE_SERVICE_MANAGER_H
#define MQTT2PG_BRIDGE_SERVICE_MANAGER_H

#ifndef WITHOUT_SYSTEMD /* make SYSTEMD=no */
#include <systemd/sd-daemon.h>
#endif

/* `state` is one of sd_notify's words: "READY=1", "WATCHDOG=1". */
static inline void service_manager_notify(const char *state)
{
#ifndef WITHOUT_SYSTEMD
    (void) sd_notify(0, state);
#else
    (void) state;
#endif
}

#endif
