/*
 * bytes: integers in a defined byte order, out of and into unaligned memory.
 *
 * MQTT and PostgreSQL's binary COPY are big-endian (be), the journal's files and most formats of
 * devices are little-endian (le). memcpy() makes the access legal at any address, and compiles to
 * one instruction. The caller makes sure that the bytes are there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_BYTES_H
#define MQTT2PG_BASE_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t bytes_get_be16(const void *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof(value));
    return be16toh(value);
}

static inline uint32_t bytes_get_be32(const void *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return be32toh(value);
}

static inline uint64_t bytes_get_be64(const void *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return be64toh(value);
}

static inline uint16_t bytes_get_le16(const void *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof(value));
    return le16toh(value);
}

static inline uint32_t bytes_get_le32(const void *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static inline uint64_t bytes_get_le64(const void *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

static inline void bytes_put_le16(void *at, uint16_t value)
{
    value = htole16(value);
    memcpy(at, &value, sizeof(value));
}

static inline void bytes_put_le32(void *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof(value));
}

static inline void bytes_put_le64(void *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof(value));
}

#endif
