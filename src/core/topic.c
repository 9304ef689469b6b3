/* SPDX-License-Identifier: MIT */
#include "core/topic.h"

#include <string.h>

#include "base/text.h"

bool topic_is_publishable(struct slice topic)
{
    return topic.length >= 1 && topic.length <= TOPIC_BYTES_MAX &&
           memchr(topic.data, '+', topic.length) == NULL &&
           memchr(topic.data, '#', topic.length) == NULL && !text_has_nul(topic) &&
           text_is_utf8(topic);
}
