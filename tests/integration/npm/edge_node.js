// An edge node of Sparkplug B by the library sparkplug-client: BROKER GROUP EDGE DEVICES METRICS. Publishes births, then on each line of
// standard input a round of DATA of all devices: metric m of device d in round r is r * 10000 + d * 100 + m.
const SparkplugClient = require("sparkplug-client");
const [url, group, edge, devices, metrics] = process.argv.slice(2);
const client = SparkplugClient.newClient({serverUrl: url, username: "", password: "", groupId: group, edgeNode: edge, clientId: edge, version: "spBv1.0",
                                          publishDeath: true});
const value = (round, device, metric) => round * 10000 + device * 100 + metric;
const all = (round, device) => Array.from({length: +metrics}, (_, m) => ({name: "m" + m, type: "Int32", value: -value(round, device, m)}));
client.on("birth", () => {
    client.publishNodeBirth({timestamp: Date.now(), metrics: [{name: "Node Control/Rebirth", type: "Boolean", value: false}]});
    for (let d = 0; d < +devices; d++)
        client.publishDeviceBirth("d" + d, {timestamp: Date.now(), metrics: all(0, d)});
    console.log("born");
});
client.on("ncmd", (payload) => {
    if (payload.metrics.some((metric) => metric.name === "Node Control/Rebirth" && metric.value)) {
        console.log("rebirth");
        client.emit("birth");
    }
});
let round = 0;
require("readline").createInterface({input: process.stdin}).on("line", (line) => {
    if (line === "stop") {
        client.stop();
        setTimeout(() => process.exit(0), 300);
        return;
    }
    round++;
    for (let d = 0; d < +devices; d++)
        client.publishDeviceData("d" + d, {timestamp: Date.now(), metrics: all(round, d)});
    console.log("round " + round);
});
