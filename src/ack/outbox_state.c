/* SPDX-License-Identifier: MIT */
#include "ack/outbox_state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"

void outbox_remove(struct outbox *outbox, size_t index)
{
    char name[OUTBOX_NAME_BYTES];
    outbox_entry_name(name, &outbox->list.entries[index]);
    if (unlinkat(outbox->directory_fd, name, 0) != 0 && errno != ENOENT) {
        log_warn("could not delete a file of acknowledgments, they will be published again",
                 F_TEXT("file", name), F_TEXT("reason", strerror(errno)));
    }
    outbox_list_remove(&outbox->list, index);
}

void outbox_changed(struct outbox *outbox)
{
#ifdef FAULT_POINTS
    outbox_list_check(&outbox->list);
#endif
    metric_set(METRIC_ACKS_WAITING, (int64_t) outbox_list_waiting(&outbox->list));
    pthread_cond_broadcast(&outbox->cond);
}

enum outcome outbox_write(struct outbox *outbox, const struct outbox_entry *entry,
                          const struct ack_batch *batch, struct error *error)
{
    char name[OUTBOX_NAME_BYTES];
    outbox_entry_name(name, entry);
    struct outbox_file file = {.mark = entry->mark, .count = batch->count};
    snprintf(file.journal, sizeof(file.journal), "%s", outbox->journal);
    return outbox_file_write(outbox->directory_fd, name, &file, buf_slice(&batch->bytes), error);
}
