// Random NBIRTHs by sparkplug-payload, one a line: [hex, what the document's metrics are]. COUNT
const payload = require("sparkplug-payload").get("spBv1.0"), Long = require("long");
let seed = 11;
const random = () => { seed = (seed * 1103515245 + 12345) & 0x7fffffff; return seed / 0x7fffffff; };
const below = (n) => Math.floor(random() * n);
const text = () => "t" + "é€😀\"\\\n".repeat(below(3)) + below(1e6);
const signed = (bits) => below(2 ** bits) - 2 ** (bits - 1);
const time = () => 1700000000000 + below(1e9);
const rfc = (ms) => new Date(ms).toISOString().replace("Z", "000Z");
// type → [what is sent, what is read]
const kinds = {
    Int8: () => { const n = signed(8); return [n, n]; }, Int16: () => { const n = signed(16); return [n, n]; }, Int32: () => { const n = signed(31); return [n, n]; },
    Int64: () => { const long = Long.fromBits(signed(31), signed(31)); return [long, {digits: long.toString()}]; },
    UInt8: () => { const n = below(256); return [n, n]; }, UInt16: () => { const n = below(65536); return [n, n]; }, UInt32: () => { const n = below(2 ** 31) * 2; return [n, n]; },
    UInt64: () => { const long = Long.fromBits(signed(31), signed(31), true); return [long, {digits: long.toString()}]; },
    Float: () => { const n = (below(2 ** 13) - 2 ** 12) / 8; return [n, n]; }, Double: () => { const n = random() * 1e9; return [n, n]; },
    Boolean: () => { const b = random() < 0.5; return [b, b]; }, String: () => { const t = text(); return [t, t]; }, Text: () => { const t = text(); return [t, t]; },
    UUID: () => ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    DateTime: () => { const ms = time(); return [ms, rfc(ms)]; },
    Bytes: () => { const b = Buffer.from(text()); return [b, b.toString("base64")]; },
    DataSet: () => {
        const rows = Array.from({length: below(4)}, () => [text(), random() * 100, random() < 0.5]);
        return [{numOfColumns: 3, columns: ["a", "b", "c"], types: ["String", "Double", "Boolean"], rows}, rows.map(([a, b, c]) => ({a, b, c}))];
    },
    Template: () => {
        const value = text();
        return [{version: "1.0", templateRef: "Motor", isDefinition: false, metrics: [{name: "rpm", type: "Int32", value: -5}], parameters: [{name: "p", type: "String", value}]},
                {version: "1.0", template_ref: "Motor", is_definition: false, metrics: [{name: "rpm", value: -5}], parameters: {p: value}}];
    },
};
const json = (value) => JSON.stringify(value).replace(/\{"digits":"(-?\d+)"\}/g, "$1");
for (let i = 0; i < +process.argv[2]; i++) {
    const sent = [], wanted = [];
    for (const [type, make] of Object.entries(kinds)) {
        const [value, read] = make(), name = `${type} ${text()}`, alias = below(1000), ms = time(), none = random() < 0.1 && type !== "DataSet" && type !== "Template"; // those it can't write as null
        const properties = random() < 0.3 ? {unit: {type: "String", value: "°C"}, low: {type: "Int32", value: 5}} : undefined;
        sent.push({name, alias, type, timestamp: ms, value: none ? null : value, ...(none && {isNull: true}), ...(properties && {properties})});
        wanted.push({name, alias, value: none ? null : read, datatype: type, timestamp: rfc(ms), is_null: none, properties: properties ? {unit: "°C", low: 5} : null});
    }
    const bytes = payload.encodePayload({timestamp: time(), seq: 0, metrics: sent});
    console.log(`["${Buffer.from(bytes).toString("hex")}", ${json(wanted)}]`);
}
