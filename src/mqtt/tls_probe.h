/*
 * tls_probe: finds out about TLS what Paho does not say: whether the files can be used, and why a
 * connection fails.
 *
 * Paho only gives OpenSSL's first error, "certificate verify failed" at best, and nothing at all
 * when the certificate is for another host. So after a failure this module makes a connection of
 * its own, with the same files and the same requirements, to get the reason from OpenSSL. That
 * connection carries no MQTT.
 *
 * Both connections demand TLS 1.2 or newer and OpenSSL's security level 2 (no keys below 2048 bits,
 * no SHA-1). Paho has no setting for the version, but OpenSSL 3 accepts older versions of TLS at
 * level 0 only (ssl_security_default_callback).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_TLS_PROBE_H
#define MQTT2PG_MQTT_TLS_PROBE_H

#include "mqtt/broker_options.h"

#include "base/outcome.h"

/* Paho gets the same string. The level applies to certificates and protocol versions, also with the
 * ciphers of TLS 1.3. */
#define TLS_CIPHERS "DEFAULT@SECLEVEL=2"

/* Can the files of broker->tls be used: certificates, the key, its password, and does the key
 * belong to the certificate? OUTCOME_REJECT with the name of the setting and what is wrong. Never
 * asks at a terminal. Any thread. */
enum outcome tls_check_files(const struct broker_options *broker, struct error *error) MUST_CHECK;

/* Connects to the address, at most `milliseconds`, and waits one second more for the broker's
 * verdict on our certificate. OUTCOME_OK: TLS works. OUTCOME_REJECT: it fails until a person
 * changes something. OUTCOME_RETRY: it may work the next time. Both with words for a person. */
enum outcome tls_probe(const struct broker_options *broker, const struct broker_address *address,
                       const char *numeric, int64_t milliseconds, struct error *error) MUST_CHECK;

/* Does the broker speak TLS at this address? For a URL without TLS; verifies no certificate. */
bool tls_is_spoken(const char *numeric, int port, int64_t milliseconds);

/* Encodes the protocols of broker->tls.alpn in the form of TLS (RFC 7301, section 3.1), each after
 * its length. Returns the number of bytes; 0: none. */
#define TLS_ALPN_MAX 256
size_t tls_alpn(const struct broker_options *broker, unsigned char out[TLS_ALPN_MAX]);

#endif
