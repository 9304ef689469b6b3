create table senml_reading (time timestamptz not null, name text not null, unit text, value numeric, text text, is_true boolean);
