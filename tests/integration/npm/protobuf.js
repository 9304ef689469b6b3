// Random messages of tests/data/protobuf/all.proto by protobufjs, one a line: [message, hex, what the document is]. FILE COUNT
const protobuf = require("protobufjs"), fs = require("fs");
let seed = 7;
const random = () => { seed = (seed * 1103515245 + 12345) & 0x7fffffff; return seed / 0x7fffffff; };
const below = (n) => Math.floor(random() * n);
const maybe = (value) => random() < 0.5 ? value() : undefined;
const text = () => "t" + "é€😀\"\\\n".repeat(below(3)) + below(1e6);
const int32 = () => (random() < 0.3 ? below(200) : below(2 ** 32)) - (random() < 0.5 ? 2 ** 31 : 0) | 0;
const real = () => (below(2 ** 13) - 2 ** 12) / 8; // few enough digits for 32 bits
const bytes = () => Buffer.from(Array.from({length: below(20)}, () => below(256)));
const big = (unsigned) => { // [Long, digits]
    const long = protobuf.util.Long.fromBits(int32(), int32(), unsigned);
    return [long, {digits: long.toString()}];
};
const MODES = {UNKNOWN: 0, HEAT: 1, COOL: -2};
const mode = () => ["UNKNOWN", "HEAT", "COOL"][below(3)];

// JSON in which {digits: "12"} is a number with all of its digits.
const json = (value) => JSON.stringify(value, (key, part) => part).replace(/\{"digits":"(-?\d+)"\}/g, "$1");

function point(depth) {
    const x = int32(), y = maybe(int32), next = depth < 4 ? maybe(() => point(depth + 1)) : undefined;
    return [{x, ...(y !== undefined && {y}), ...(next && {next: next[0]})}, {x, y: y === undefined ? null : y, next: next ? next[1] : null}];
}
function scalars() {
    const longs = {i64: big(false), u64: big(true), x64: big(true), sx64: big(false), s64: big(false)}, raw = bytes(), name = mode();
    const rest = {f64: random() * 1e9, f32: real(), i32: int32(), x32: int32() >>> 0, ok: random() < 0.5, text: text(), u32: int32() >>> 0, sx32: int32(), s32: int32()};
    const sent = {...rest, raw, mode: MODES[name]}, wanted = {...rest, raw: raw.toString("base64"), mode: name};
    for (const [key, [long, digits]] of Object.entries(longs)) { sent[key] = long; wanted[key] = digits; }
    return [sent, wanted];
}
function nested() {
    const sent = {}, wanted = {point: null, points: [], numbers: [], names: [], modes: [], counts: {}, places: {}, a: null, b: null, c: null};
    const one = maybe(() => point(0));
    if (one) { sent.point = one[0]; wanted.point = one[1]; }
    const points = Array.from({length: below(4)}, () => point(2));
    sent.points = points.map((each) => each[0]); wanted.points = points.map((each) => each[1]);
    sent.numbers = wanted.numbers = Array.from({length: below(30)}, int32);
    sent.names = wanted.names = Array.from({length: below(5)}, text);
    wanted.modes = Array.from({length: below(5)}, mode); sent.modes = wanted.modes.map((name) => MODES[name]);
    sent.counts = {}; sent.places = {};
    for (let i = below(6); i > 0; i--) { const key = text(), value = int32(); sent.counts[key] = value; wanted.counts[key] = value; }
    for (let i = below(4); i > 0; i--) { const key = int32(), value = point(3); sent.places[key] = value[0]; wanted.places[key] = value[1]; }
    const choice = ["a", "b", "c", "none"][below(4)];
    if (choice === "a") sent.a = wanted.a = int32();
    if (choice === "b") sent.b = wanted.b = text();
    if (choice === "c") { const value = point(3); sent.c = value[0]; wanted.c = value[1]; }
    return [sent, wanted];
}
const root = new protobuf.Root();
protobuf.parse(fs.readFileSync(process.argv[2], "utf8"), root, {keepCase: true});
for (const name of ["duration", "struct", "timestamp", "wrappers"]) root.addJSON(protobuf.common.get(`google/protobuf/${name}.proto`).nested);
const makers = {Scalars: scalars, Nested: nested, Point: () => point(0)};
for (let i = 0; i < +process.argv[3]; i++) {
    const name = Object.keys(makers)[i % 3], [sent, wanted] = makers[name](), type = root.lookupType("test." + name);
    console.log(`["${name}", "${Buffer.from(type.encode(type.create(sent)).finish()).toString("hex")}", ${json(wanted)}]`);
}
