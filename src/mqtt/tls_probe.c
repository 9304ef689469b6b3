/* SPDX-License-Identifier: MIT */
#include "mqtt/tls_probe.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "mqtt/paho_socket.h"

_Static_assert(OPENSSL_VERSION_NUMBER >= 0x30000000L,
               "mqtt2pg needs OpenSSL 3.0 or newer (Debian 12 has it, Debian 11 does not)");

enum { NAMES_MAX = 5, VERDICT_MS = 1000 };

/* --- the context: files and demands ----------------------------------------------------------- */

/* Without this callback OpenSSL would ask at the terminal. */
static int give_password(char *buffer, int size, int writing, void *context)
{
    const char *password = context;
    (void) writing;
    int length = snprintf(buffer, (size_t) size, "%s", password == NULL ? "" : password);
    return length < size ? length : -1;
}

static const char *last_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason == NULL ? "unknown reason" : reason;
}

/* `kind` names what the file should hold. */
static enum outcome refuse_file(struct error *error, const char *setting, const char *file,
                                const char *kind)
{
    /* The first error is nearest to the cause; the last one is "PEM lib". */
    unsigned long first = ERR_peek_error();
    int reason = ERR_GET_REASON(first);
    const char *words = ERR_reason_error_string(first);
    if (reason == PEM_R_NO_START_LINE || ERR_GET_LIB(first) == ERR_LIB_OSSL_DECODER ||
        (ERR_GET_LIB(first) == ERR_LIB_X509 && reason == X509_R_NO_CERTIFICATE_OR_CRL_FOUND)) {
        return error_set(error, OUTCOME_REJECT,
                         "%s: there is no %s in \"%s\" in the PEM format, which begins with "
                         "-----BEGIN",
                         setting, kind, file);
    }
    if (ERR_GET_LIB(first) == ERR_LIB_PROV ||
        (ERR_GET_LIB(first) == ERR_LIB_PEM &&
         (reason == PEM_R_BAD_PASSWORD_READ || reason == PEM_R_BAD_DECRYPT))) {
        words = "it is encrypted, and key_password is missing or wrong";
    }
    return error_set(error, OUTCOME_REJECT, "%s: could not use file \"%s\": %s", setting, file,
                     words == NULL ? "unknown reason" : words);
}

static enum outcome load_own(SSL_CTX *context, const struct broker_options *broker,
                             struct error *error)
{
    const char *cert_file = broker->tls.cert_file;
    if (cert_file == NULL) {
        return OUTCOME_OK;
    }
    const char *key_file = broker->tls.key_file != NULL ? broker->tls.key_file : cert_file;
    SSL_CTX_set_default_passwd_cb(context, give_password);
    SSL_CTX_set_default_passwd_cb_userdata(context, (void *) (uintptr_t) broker->tls.key_password);
    if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1) {
        return refuse_file(error, "broker.tls.cert_file", cert_file, "certificate");
    }
    if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1) {
        if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH) {
            return error_set(error, OUTCOME_REJECT,
                             "broker.tls.key_file: the key in \"%s\" does not belong to the "
                             "certificate in \"%s\"",
                             key_file, cert_file);
        }
        return refuse_file(error, "broker.tls.key_file", key_file, "private key");
    }
    return OUTCOME_OK;
}

/* NULL with a reason. */
static SSL_CTX *context_new(const struct broker_options *broker, struct error *error)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    enum outcome outcome = OUTCOME_OK;
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context, TLS_CIPHERS) != 1) {
        outcome = error_set(error, OUTCOME_REJECT, "TLS: %s", last_reason());
    }
    if (outcome == OUTCOME_OK) {
        outcome = load_own(context, broker, error);
    }
    if (outcome == OUTCOME_OK && broker->tls.ca_file != NULL) {
        outcome =
            SSL_CTX_load_verify_file(context, broker->tls.ca_file) == 1
                ? OUTCOME_OK
                : refuse_file(error, "broker.tls.ca_file", broker->tls.ca_file, "certificate");
    } else if (outcome == OUTCOME_OK) {
        (void) SSL_CTX_set_default_verify_paths(context);
    }
    if (outcome != OUTCOME_OK) {
        SSL_CTX_free(context);
        context = NULL;
    }
    return context;
}

enum outcome tls_check_files(const struct broker_options *broker, struct error *error)
{
    SSL_CTX *context = context_new(broker, error);
    SSL_CTX_free(context);
    return context == NULL ? OUTCOME_REJECT : OUTCOME_OK;
}

/* --- the certificate that the broker shows ---------------------------------------------------- */

/* The first error, and the certificate of the chain that has it. */
struct verdict {
    X509 *certificate; /* a reference; NULL: nothing was */
    int code;
};

/* Notes the refused certificate, which OpenSSL does not give out afterwards. */
static int note_verdict(int good, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct verdict *verdict = SSL_get_app_data(ssl);
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    if (!good && verdict->certificate == NULL && certificate != NULL) {
        X509_up_ref(certificate);
        *verdict = (struct verdict){certificate, X509_STORE_CTX_get_error(store)};
    }
    return good;
}

static void append_name(struct buf *out, const GENERAL_NAME *name)
{
    const char *comma = out->length == 0 ? "" : ", ";
    char text[INET6_ADDRSTRLEN];
    if (name->type == GEN_DNS) {
        buf_printf(out, "%s%.*s", comma, ASN1_STRING_length(name->d.dNSName),
                   (const char *) ASN1_STRING_get0_data(name->d.dNSName));
    } else if (name->type == GEN_IPADD) {
        int family = ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6;
        if (inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof(text)) !=
            NULL) {
            buf_printf(out, "%s%s", comma, text);
        }
    }
}

static void append_names(struct buf *out, X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < NAMES_MAX; i++) {
        append_name(out, sk_GENERAL_NAME_value(names, i));
    }
    GENERAL_NAMES_free(names);
    char common[256];
    if (out->length == 0 && X509_NAME_get_text_by_NID(X509_get_subject_name(certificate),
                                                      NID_commonName, common, sizeof(common)) > 0) {
        buf_append_text(out, common);
    }
}

static void append_date(struct buf *out, const ASN1_TIME *time)
{
    struct tm date;
    if (ASN1_TIME_to_tm(time, &date) == 1) {
        buf_printf(out, "%04d-%02d-%02d", date.tm_year + 1900, date.tm_mon + 1, date.tm_mday);
    }
}

static enum outcome refuse_certificate(const SSL *ssl, const struct broker_options *broker,
                                       const char *host, struct error *error)
{
    const struct verdict *verdict = SSL_get_app_data(ssl);
    X509 *certificate = verdict->certificate;
    int code = verdict->code;
    struct buf words = {0};
    switch (certificate == NULL ? 0 : code) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        append_names(&words, certificate);
        error_set(error, OUTCOME_REJECT,
                  "the broker's certificate is for %s, not for \"%s\": put a name of the "
                  "certificate into broker.url, or that name into the certificate",
                  buf_string(&words), host);
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        append_date(&words, X509_get0_notAfter(certificate));
        error_set(error, OUTCOME_REJECT,
                  "the broker's certificate, or one that it is signed with, has expired on %s: "
                  "renew it",
                  buf_string(&words));
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        append_date(&words, X509_get0_notBefore(certificate));
        error_set(error, OUTCOME_REJECT,
                  "the broker's certificate is valid from %s on: is this machine's clock right?",
                  buf_string(&words));
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        error_set(error, OUTCOME_REJECT,
                  "the broker's certificate is not signed by a CA in %s (%s): name the file with "
                  "the certificate of its CA in broker.tls.ca_file",
                  broker->tls.ca_file != NULL ? broker->tls.ca_file : "the system's store",
                  X509_verify_cert_error_string(code));
        break;
    default:
        error_set(error, OUTCOME_REJECT, "the broker's certificate is refused: %s",
                  X509_verify_cert_error_string(code));
    }
    buf_fini(&words);
    return OUTCOME_REJECT;
}

/* --- the handshake ---------------------------------------------------------------------------- */

/* The broker ended the connection with an alert. */
static enum outcome explain_alert(int reason, const struct broker_options *broker,
                                  struct error *error)
{
    switch (reason) {
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return error_set(error, OUTCOME_REJECT,
                         "the broker has no TLS 1.2 or newer: switch that on there");
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
        if (broker->tls.cert_file == NULL) {
            return error_set(error, OUTCOME_REJECT,
                             "the broker wants a client certificate (%s): set broker.tls.cert_file "
                             "and key_file",
                             last_reason());
        }
        return error_set(error, OUTCOME_REJECT,
                         "the broker does not accept our certificate in \"%s\" (%s)",
                         broker->tls.cert_file, last_reason());
    default:
        return OUTCOME_OK; /* no alert, or an alert without a useful meaning */
    }
}

static enum outcome explain_handshake(const SSL *ssl, const struct broker_options *broker,
                                      const char *host, struct error *error)
{
    int reason = ERR_GET_REASON(ERR_peek_last_error());
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        return refuse_certificate(ssl, broker, host, error);
    }
    enum outcome outcome = explain_alert(reason, broker, error);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
        return error_set(error, OUTCOME_REJECT,
                         "the broker has no TLS 1.2 or newer: switch that on there");
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_RECORD_LENGTH_MISMATCH:
        return error_set(error, OUTCOME_REJECT,
                         "what answers there is not TLS: use mqtt://, or the port for TLS");
    case 0:
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return error_set(error, OUTCOME_RETRY,
                         "connection closed while TLS was set up: if that port is not for TLS, use "
                         "mqtt:// or another port");
    default:
        return error_set(error, OUTCOME_REJECT, "TLS: %s", last_reason());
    }
}

/* Waits until the socket is ready for what OpenSSL wants to do; false after a failure or when the
 * time is over. */
static bool wait_for(const SSL *ssl, int result, int64_t end_ms, bool *late)
{
    int wanted = SSL_get_error(ssl, result);
    int64_t left_ms = end_ms - clock_monotonic_ms();
    if (wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE) {
        return false;
    }
    struct pollfd poller = {.fd = SSL_get_fd(ssl),
                            .events = wanted == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT};
    *late = left_ms <= 0 || poll(&poller, 1, (int) left_ms) <= 0;
    return !*late;
}

/* With TLS 1.3 the broker's verdict on our certificate comes after the handshake. Before CONNECT a
 * broker sends nothing else. */
static enum outcome hear_verdict(SSL *ssl, const struct broker_options *broker, struct error *error)
{
    int64_t end_ms = clock_monotonic_ms() + VERDICT_MS;
    char byte;
    bool late = false;
    int result;
    do {
        ERR_clear_error();
        result = SSL_read(ssl, &byte, 1);
    } while (result <= 0 && wait_for(ssl, result, end_ms, &late));
    return result > 0 || late ? OUTCOME_OK
                              : explain_alert(ERR_GET_REASON(ERR_peek_last_error()), broker, error);
}

static enum outcome handshake(SSL *ssl, const struct broker_options *broker, const char *host,
                              int64_t end_ms, struct error *error)
{
    bool late = false;
    int result;
    do {
        ERR_clear_error();
        result = SSL_connect(ssl);
    } while (result != 1 && wait_for(ssl, result, end_ms, &late));
    if (late) {
        return error_set(error, OUTCOME_RETRY,
                         "no answer to TLS: if that port is not for TLS, use mqtt:// or another "
                         "port");
    }
    return result == 1 ? hear_verdict(ssl, broker, error)
                       : explain_handshake(ssl, broker, host, error);
}

static void demand(SSL *ssl, const struct broker_options *broker, const char *host)
{
    unsigned char numeric[sizeof(struct in6_addr)];
    bool is_address =
        inet_pton(AF_INET, host, numeric) == 1 || inet_pton(AF_INET6, host, numeric) == 1;
    if (broker->tls.verify) {
        SSL_set_verify(ssl, SSL_VERIFY_PEER, note_verdict);
        if (is_address) {
            X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
        } else {
            SSL_set1_host(ssl, host);
        }
    }
    SSL_set_tlsext_host_name(ssl, host); /* as Paho does, also for an address */
    unsigned char protocols[TLS_ALPN_MAX];
    unsigned length = (unsigned) tls_alpn(broker, protocols);
    if (length > 0) {
        (void) SSL_set_alpn_protos(ssl, protocols, length);
    }
}

enum outcome tls_probe(const struct broker_options *broker, const struct broker_address *address,
                       const char *numeric, int64_t milliseconds, struct error *error)
{
    int64_t end_ms = clock_monotonic_ms() + milliseconds;
    SSL *ssl = NULL;
    struct verdict verdict = {NULL, 0};
    int fd = -1;
    enum outcome outcome = OUTCOME_REJECT;
    assert(address->tls);
    SSL_CTX *context = context_new(broker, error);
    if (context != NULL) {
        outcome = paho_probe_open(numeric, address->port, milliseconds, &fd, error);
    }
    if (outcome == OUTCOME_OK && fd >= 0) {
        ssl = SSL_new(context);
        SSL_set_fd(ssl, fd);
        SSL_set_app_data(ssl, &verdict);
        demand(ssl, broker, address->host);
        outcome = handshake(ssl, broker, address->host, end_ms, error);
    }
    X509_free(verdict.certificate);
    SSL_free(ssl);
    SSL_CTX_free(context);
    if (fd >= 0) {
        close(fd);
    }
    return outcome;
}

bool tls_is_spoken(const char *numeric, int port, int64_t milliseconds)
{
    int64_t end_ms = clock_monotonic_ms() + milliseconds;
    struct error error = {0};
    bool late = false;
    int result = 0;
    int fd = -1;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL ||
        paho_probe_open(numeric, port, milliseconds, &fd, &error) != OUTCOME_OK || fd < 0) {
        SSL_CTX_free(context);
        return false;
    }
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    do {
        ERR_clear_error();
        result = SSL_connect(ssl);
    } while (result != 1 && wait_for(ssl, result, end_ms, &late));
    /* An alert is also TLS. */
    bool spoken = result == 1 || ERR_GET_REASON(ERR_peek_last_error()) >= SSL_AD_REASON_OFFSET;
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    return spoken;
}

size_t tls_alpn(const struct broker_options *broker, unsigned char out[TLS_ALPN_MAX])
{
    size_t used = 0;
    const char *at = broker->tls.alpn == NULL ? "" : broker->tls.alpn;
    for (at += strspn(at, " ,"); *at != '\0'; at += strspn(at, " ,")) {
        size_t length = strcspn(at, " ,");
        if (length > UINT8_MAX || used + length + 1 > TLS_ALPN_MAX) {
            return 0;
        }
        out[used++] = (unsigned char) length;
        memcpy(out + used, at, length);
        used += length;
        at += length;
    }
    assert(used <= TLS_ALPN_MAX);
    return used;
}
