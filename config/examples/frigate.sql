create table frigate_event (id text primary key, camera text, label text, score numeric, zones text[], began timestamptz, ended timestamptz);
