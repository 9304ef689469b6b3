// Random points by the client library of InfluxDB, one payload of several lines a line: [text, what the document is]. COUNT
const {Point} = require("@influxdata/influxdb-client");
let seed = 5;
const random = () => { seed = (seed * 1103515245 + 12345) & 0x7fffffff; return seed / 0x7fffffff; };
const below = (n) => Math.floor(random() * n);
const name = () => "n" + "é€ ,=".split("")[below(5)].repeat(below(3)) + below(1e6);
const text = () => "t" + "é€😀\"\\ ,=".repeat(below(3)) + below(1e6);
for (let i = 0; i < +process.argv[2]; i++) {
    const lines = [], wanted = [];
    for (let line = below(4); line >= 0; line--) {
        const measurement = name(), tags = {}, fields = {}, us = 1700000000000000 + below(1e9), point = new Point(measurement);
        for (let n = below(4); n > 0; n--) { const key = name(), value = name(); point.tag(key, value); tags[key] = value; }
        for (let n = below(5) + 1; n > 0; n--) {
            const key = name(), kind = below(5);
            if (kind === 0) { fields[key] = below(2 ** 31) - 2 ** 30; point.intField(key, fields[key]); }
            if (kind === 1) { fields[key] = below(2 ** 31); point.uintField(key, fields[key]); }
            if (kind === 2) { fields[key] = (random() - 0.5) * 10 ** below(9); point.floatField(key, fields[key]); }
            if (kind === 3) { fields[key] = random() < 0.5; point.booleanField(key, fields[key]); }
            if (kind === 4) { fields[key] = text(); point.stringField(key, fields[key]); }
        }
        point.timestamp(String(us));
        lines.push(point.toLineProtocol());
        wanted.push({measurement, tags, fields, time: new Date(Math.floor(us / 1000)).toISOString().slice(0, -1) + String(us % 1000).padStart(3, "0") + "Z"});
    }
    console.log(JSON.stringify([lines.join("\n"), wanted]));
}
