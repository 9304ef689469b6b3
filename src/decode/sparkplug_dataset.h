/*
 * sparkplug_dataset: a DataSet of Sparkplug B: an array of its rows, each an object by the names of
 * the columns.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_SPARKPLUG_DATASET_H
#define MQTT2PG_DECODE_SPARKPLUG_DATASET_H

#include "decode/binary.h"

bool sparkplug_dataset_write(struct binary *binary, struct slice bytes, struct slice key);

#endif
