-- Takes dead letters in the order in which dead_letter_append() writes their fields.
copy mqtt2pg.dead_letter (received_at, failed_at, rule, topic, payload, qos, retained, properties, reason, sqlstate, parked,
                          client_id, journal, sequence)
from stdin (format binary)
