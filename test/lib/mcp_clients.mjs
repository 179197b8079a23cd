// mcp_clients.mjs NODE_DIR PRODUCT_URL FIXTURE_URL -- COMMAND... -- FIXTURE...
// The official TypeScript clients, 1.x and 2.x, against `ves mcp` and the
// fixture, over a pipe and over HTTP; one TAP line a rule.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [dir, productUrl, fixtureUrl] = process.argv.slice(2, 5);
const rest = process.argv.slice(6);
const product = rest.slice(0, rest.indexOf('--'));
const fixture = rest.slice(rest.indexOf('--') + 1);
const require = createRequire(pathToFileURL(dir + '/x.js'));
const load = name => import(pathToFileURL(require.resolve(name)).href.replace(/\/cjs\//, '/esm/').replace(/\.cjs$/, '.mjs'));

const v1 = {
    ...(await load('@modelcontextprotocol/sdk/client/index.js')),
    ...(await load('@modelcontextprotocol/sdk/client/stdio.js')),
    ...(await load('@modelcontextprotocol/sdk/client/streamableHttp.js')),
    ...(await load('@modelcontextprotocol/sdk/types.js'))
};
const v2 = { ...(await load('@modelcontextprotocol/client')), ...(await load('@modelcontextprotocol/client/stdio')) };

let count = 0;
let failed = 0;
function ok(what, holds, got) {
    count++;
    console.log(`${holds ? 'ok' : 'not ok'} ${count} - ${what}`);
    if (!holds) {
        failed++;
        console.log('#   got: ' + JSON.stringify(got)?.slice(0, 600));
    }
}

const answer = { action: 'accept', content: { name: 'Ada', username: 'ada', email: 'a@example.org', ok: true } };
const kinds = {
    '1.x': () => {
        const c = new v1.Client({ name: 't', version: '1' }, { capabilities: { elicitation: {} } });
        c.setRequestHandler(v1.ElicitRequestSchema, async () => answer);
        return c;
    },
    '2.x auto': () => second({ mode: 'auto' }),
    '2.x 2026-07-28': () => second({ mode: { pin: '2026-07-28' } })
};
function second(versionNegotiation) {
    const c = new v2.Client({ name: 't', version: '1' }, { capabilities: { elicitation: {} }, versionNegotiation });
    c.setRequestHandler('elicitation/create', async () => answer);
    return c;
}
function transport(kind, command, url) {
    const sdk = kind.startsWith('1') ? v1 : v2;
    return url ? new sdk.StreamableHTTPClientTransport(new URL(url))
               : new sdk.StdioClientTransport({ command: command[0], args: command.slice(1), stderr: 'inherit' });
}

async function withClient(kind, where, command, url, work) {
    const client = kinds[kind]();
    const name = `${kind}, ${where}`;
    try {
        await client.connect(transport(kind, command, url));
        await work(client, name);
    } catch (e) {
        ok(`${name}: ran to its end`, false, String(e?.stack ?? e));
    }
    try {
        await client.close();
    } catch (e) {
        ok(`${name}: closes`, false, String(e));
    }
}

async function tryProduct(client, name) {
    ok(`${name}: connects to stateset-commerce`, client.getServerVersion()?.name === 'stateset-commerce', client.getServerVersion());
    const { tools } = await client.listTools();
    ok(`${name}: lists the tools`, tools.length >= 8 && tools[0].name === 'get_sync_status', tools.map(t => t.name));
    const status = await client.callTool({ name: 'get_sync_status', arguments: { probe: false } });
    ok(`${name}: a result that passes the client's own check of its schema`, status.structuredContent?.health, status);
    const list = await client.callTool({ name: 'list_outbox_events', arguments: { limit: 5 } });
    ok(`${name}: a list`, Array.isArray(list.structuredContent?.events), list);
    const wrong = await client.callTool({ name: 'push_events', arguments: { limit: 5000 } });
    ok(`${name}: a tool's error is a result with words`, wrong.isError && wrong.content[0].text.startsWith('INVALID_ARGUMENT'), wrong);
    const { resources } = await client.listResources();
    ok(`${name}: resources`, resources.some(r => r.uri === 'ves://status'), resources);
    const read = await client.readResource({ uri: 'ves://status' });
    ok(`${name}: reads one`, JSON.parse(read.contents[0].text).counts, read);
    const { resourceTemplates } = await client.listResourceTemplates();
    ok(`${name}: templates`, resourceTemplates.length >= 3, resourceTemplates);
    const { prompts } = await client.listPrompts();
    ok(`${name}: prompts`, prompts.length === 3, prompts);
    const prompt = await client.getPrompt({ name: 'check_sync_health', arguments: {} });
    ok(`${name}: gets one`, prompt.messages.length === 2, prompt);
    const done = await client.complete({
        ref: { type: 'ref/prompt', name: 'resolve_conflicts' },
        argument: { name: 'strategy', value: 'm' }
    });
    ok(`${name}: completes`, JSON.stringify(done.completion.values) === '["merge","manual"]', done);
}

async function tryFixture(client, name) {
    const progress = [];
    await client.callTool({ name: 'test_tool_with_progress', arguments: {} },
        ...(name.startsWith('1') ? [undefined] : []), { onprogress: p => progress.push(p.progress) });
    ok(`${name}: progress`, progress.length === 3, progress);
    const r = await client.callTool({ name: 'test_input_required_result_elicitation', arguments: {} });
    ok(`${name}: a form is asked for and its answer comes back`, r.content[0].text === 'Hello, Ada!', r);
    const s = await client.callTool({ name: 'test_input_required_result_request_state', arguments: {} });
    ok(`${name}: a state is carried`, s.content[0].text === 'state-ok', s);
    const stop = new AbortController();
    const slow = client.callTool({ name: 'test_slow', arguments: {} }, ...(name.startsWith('1') ? [undefined] : []), { signal: stop.signal });
    setTimeout(() => stop.abort('enough'), 150);
    let cancelled = false;
    await slow.catch(() => { cancelled = true; });
    ok(`${name}: cancels, and goes on`, cancelled && (await client.listTools()).tools.length > 20);
}

for (const kind of Object.keys(kinds)) {
    await withClient(kind, 'pipe', product, null, tryProduct);
    await withClient(kind, 'HTTP', null, productUrl, tryProduct);
    await withClient(kind, 'fixture on a pipe', fixture, null, tryFixture);
    await withClient(kind, 'fixture over HTTP', null, fixtureUrl, tryFixture);
}
console.log(`1..${count}`);
process.exit(failed ? 1 : 0);
