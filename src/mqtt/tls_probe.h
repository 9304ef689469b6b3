/*
 * tls_probe: what Paho does not tell about TLS: whether the files are of use, and why a connection
 * fails.
 *
 * Paho only gives OpenSSL's first error, "certificate verify failed" at best, and nothing at all
 * when the certificate is for another host. So after a failure this module makes a connection of
 * its own, with the same files and the same demands, only to ask OpenSSL for the reason. It carries
 * no MQTT.
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

/* Paho gets the same string. The level applies to certificates and versions with all ciphers, also
 * those of TLS 1.3. */
#define TLS_CIPHERS "DEFAULT@SECLEVEL=2"

/* Can the files of broker->tls be used: certificates, the key, its password, and does the key
 * belong to the certificate? OUTCOME_REJECT with the name of the setting and what is wrong. Never
 * asks at a terminal. Any thread. */
enum outcome tls_check_files(const struct broker_options *broker, struct error *error) MUST_CHECK;

/* Connects to the address, at most `milliseconds`, and one second more for what a broker thinks of
 * our certificate. OUTCOME_OK: TLS works. OUTCOME_REJECT: it won't until somebody changes
 * something; OUTCOME_RETRY: it may the next time; both with words for a person. */
enum outcome tls_probe(const struct broker_options *broker, const struct broker_address *address,
                       const char *numeric, int64_t milliseconds, struct error *error) MUST_CHECK;

/* Does TLS answer at this address? For a URL that does not ask for it; verifies nothing. */
bool tls_is_spoken(const char *numeric, int port, int64_t milliseconds);

/* The protocols that broker->tls.alpn names, as TLS writes them (RFC 7301, section 3.1): each with
 * its length in front. 0: none. */
#define TLS_ALPN_MAX 256
size_t tls_alpn(const struct broker_options *broker, unsigned char out[TLS_ALPN_MAX]);

#endif
