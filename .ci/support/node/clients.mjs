// Lets both official TypeScript clients list the five tools, call each of them, and go on after the server has been
// restarted: it prints "restart" and waits for a line.
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import * as v1 from '@modelcontextprotocol/sdk/client/index.js';
import * as v1http from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import * as v2 from '@modelcontextprotocol/client';

const url = new URL(process.argv[2]);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const who = { name: 'koor-ci', version: '1' };
const names = ['discover_instances', 'get_endpoints', 'propose_rule', 'register_instance', 'set_intent'];

async function tour(client, label) {
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map(tool => tool.name).sort(), names);
    const call = async (name, args) => {
        const result = await client.callTool({ name, arguments: args });
        assert.notEqual(result.isError, true, JSON.stringify(result));
        assert.deepEqual(JSON.parse(result.content[0].text), result.structuredContent);
        return result.structuredContent;
    };
    const { instance_id } = await call('register_instance', { name: label, workspace: 'ci', capabilities: 'a, b' });
    assert.equal((await call('set_intent', { instance_id, intent: 'testing' })).intent, 'testing');
    const found = await call('discover_instances', { name: label });
    assert.deepEqual(found.instances.map(one => [one.id, one.intent]), [[instance_id, 'testing']]);
    assert.equal((await call('get_endpoints', {})).api_base, url.origin);
    const rule = { project: 'ci', rule_id: label, pattern: 'x', message: 'no x' };
    assert.equal((await call('propose_rule', rule)).status, 'proposed');
    const failed = await client.callTool({ name: 'set_intent', arguments: { instance_id: 'nobody', intent: 'x' } });
    assert.equal(failed.isError, true);
    await assert.rejects(client.callTool({ name: 'nothing', arguments: {} }), /unknown tool/);
    return async () => assert.equal((await call('discover_instances', { name: label })).count, 1);
}

const one = new v1.Client(who);
const first = new v1http.StreamableHTTPClientTransport(url);
await one.connect(first);
const oneAgain = await tour(one, 'typescript-1');
assert.equal(first.protocolVersion, '2025-11-25');
console.log(`TypeScript SDK 1: five tools listed and called, protocol 2025-11-25`);

const two = new v2.Client(who, { versionNegotiation: { mode: 'auto' } });
const second = new v2.StreamableHTTPClientTransport(url);
await two.connect(second);
const twoAgain = await tour(two, 'typescript-2');
assert.equal(two.getNegotiatedProtocolVersion(), '2026-07-28');
console.log('TypeScript SDK 2: five tools listed and called, protocol 2026-07-28');

console.log('restart');
await lines.next();
await oneAgain();
await twoAgain();
console.log('TypeScript SDKs 1 and 2: the call after a restart of the server works');
await one.close();
await two.close();
process.exit(0);
