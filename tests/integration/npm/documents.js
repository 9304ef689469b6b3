// Random documents, one a line: [the document, its CBOR by cbor-x in hex, its MessagePack by msgpackr in hex].
const cbor=require("cbor-x"), mp=require("msgpackr");
let s=42; const rnd=()=>{s=(s*1103515245+12345)&0x7fffffff;return s/0x7fffffff};
const int=(n)=>Math.floor(rnd()*n);
function val(d){const k=int(d>3?7:9);switch(k){case 0:return null;case 1:return rnd()<.5;case 2:return int(2**31)-2**30;case 3:return (int(2**31)*2**20)*(rnd()<.5?-1:1);case 4:return (rnd()-.5)*Math.pow(10,int(30)-15);case 5:return "t"+"é€😀\"\\\n".repeat(int(4))+int(1e6);case 6:return int(200);
case 7:return Array.from({length:int(20)},()=>val(d+1));default:{const o={};for(let i=int(20);i>0;i--)o["k"+int(1e4)+(rnd()<.1?"ü":"")]=val(d+1);return o}}}
for(let i=0;i<+process.argv[2];i++){const v={v:val(0)};console.log(JSON.stringify([v,Buffer.from(new cbor.Encoder({useRecords:false,mapsAsObjects:true}).encode(v)).toString("hex"),Buffer.from(new mp.Packr({useRecords:false}).pack(v)).toString("hex")]))}
