// head.cjs -- a signed head that a sequencer serves, with the lines of those who
// cosigned it, checked with the checkpoint module of @sigstore/verify and
// nothing of VES.  Every line but the log's must be of the form of a note's.
//   node head.cjs NODE_MODULES HEAD_FILE VKEY_FILE
const fs = require('fs');
const path = require('path');
const crypto = require('crypto');
const [, , modules, file, vkey] = process.argv;
const { verifyCheckpoint } = require(path.join(modules, '@sigstore/verify/dist/tlog/checkpoint.js'));

const [, name, id, key64] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(fs.readFileSync(vkey, 'utf8').trim());
const raw = Buffer.from(key64, 'base64').subarray(1);
const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]);
const logs = [{ logID: Buffer.from(id, 'hex'), baseURL: 'https://' + name, publicKey: crypto.createPublicKey({ key: spki, format: 'der', type: 'spki' }) }];
const envelope = fs.readFileSync(file, 'utf8');
const lines = envelope.split('\n\n')[1].trim().split('\n');
if (lines.length < 2) {
  console.log('FAIL nobody cosigned it');
  process.exit(1);
}
const { logSize } = verifyCheckpoint({ inclusionProof: { checkpoint: { envelope } } }, logs);
if (logSize.toString() !== envelope.split('\n')[1]) {
  console.log('FAIL another size');
  process.exit(1);
}
console.log('size', logSize.toString(), lines.length, 'lines');
