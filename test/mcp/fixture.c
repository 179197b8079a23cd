/* fixture.c -- the server the official conformance suite asks for.
 *
 *   mcp-fixture [--http HOST:PORT [--port-file FILE]]
 *
 * Tools, resources and prompts with the names and answers that suite expects,
 * on the same library as the product.  Nothing of VES is in here.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ves/mcp.h"

#define JSON(...) #__VA_ARGS__

/* 1x1 pixel; 8 samples of silence. */
#define PNG                                                                    \
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGA" \
    "hK"                                                                       \
    "mMIQAAAABJRU5ErkJggg=="
#define WAV \
    "UklGRiwAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQgAAACAgICAgICAgA=="

static const uint8_t png[] = {0x89, 'P', 'N',  'G',  '\r', '\n', 0x1a, '\n', 0,
                              0,    0,   13,   'I',  'H',  'D',  'R',  0,    0,
                              0,    1,   0,    0,    0,    1,    8,    6,    0,
                              0,    0,   0x1f, 0x15, 0xc4, 0x89};

static struct ves_bytes bytes(const char *text)
{
    struct ves_bytes b = {(const uint8_t *)text, strlen(text)};
    return b;
}

static void nap(void)
{
    const struct timespec step = {0, 50 * 1000 * 1000};
    nanosleep(&step, NULL);
}

/* ---- writing ------------------------------------------------------------- */

static void member(struct ves_jw *jw, const char *name, const char *value)
{
    ves_jw_key(jw, name);
    ves_jw_str(jw, value);
}

static void text_block(struct ves_jw *jw, const char *text)
{
    ves_jw_object(jw);
    member(jw, "type", "text");
    member(jw, "text", text);
    ves_jw_end(jw);
}

static void data_block(struct ves_jw *jw, const char *type, const char *data,
                       const char *mime)
{
    ves_jw_object(jw);
    member(jw, "type", type);
    member(jw, "data", data);
    member(jw, "mimeType", mime);
    ves_jw_end(jw);
}

static void resource_block(struct ves_jw *jw, const char *uri, const char *mime,
                           const char *text)
{
    ves_jw_object(jw);
    member(jw, "type", "resource");
    ves_jw_key(jw, "resource");
    ves_jw_object(jw);
    member(jw, "uri", uri);
    member(jw, "mimeType", mime);
    member(jw, "text", text);
    ves_jw_end(jw);
    ves_jw_end(jw);
}

static enum ves_mcp_outcome say(struct ves_mcp_call *call, const char *text)
{
    text_block(ves_mcp_items(call), text);
    return VES_MCP_DONE;
}

/* ---- plain tools --------------------------------------------------------- */

static enum ves_mcp_outcome simple_text(struct ves_mcp_call *call, void *ctx)
{
    (void)ctx;
    return say(call, "This is a simple text response for testing.");
}

static enum ves_mcp_outcome image(struct ves_mcp_call *call, void *ctx)
{
    (void)ctx;
    data_block(ves_mcp_items(call), "image", PNG, "image/png");
    return VES_MCP_DONE;
}

static enum ves_mcp_outcome audio(struct ves_mcp_call *call, void *ctx)
{
    (void)ctx;
    data_block(ves_mcp_items(call), "audio", WAV, "audio/wav");
    return VES_MCP_DONE;
}

static enum ves_mcp_outcome embedded(struct ves_mcp_call *call, void *ctx)
{
    (void)ctx;
    resource_block(ves_mcp_items(call), "test://embedded-resource",
                   "text/plain", "This is an embedded resource content.");
    return VES_MCP_DONE;
}

static enum ves_mcp_outcome mixed(struct ves_mcp_call *call, void *ctx)
{
    struct ves_jw *jw = ves_mcp_items(call);

    (void)ctx;
    text_block(jw, "Multiple content types test:");
    data_block(jw, "image", PNG, "image/png");
    resource_block(jw, "test://mixed-content-resource", "application/json",
                   "{\"test\":\"data\",\"value\":123}");
    return VES_MCP_DONE;
}

static enum ves_mcp_outcome logging(struct ves_mcp_call *call, void *ctx)
{
    (void)ctx;
    ves_mcp_log(call, "info", "Tool execution started");
    nap();
    ves_mcp_log(call, "info", "Tool processing data");
    nap();
    ves_mcp_log(call, "info", "Tool execution completed");
    return say(call, "Three things were logged.");
}

static enum ves_mcp_outcome error(struct ves_mcp_call *call, void *ctx)
{
    (void)ctx;
    return ves_mcp_fail(call,
                        "This tool intentionally returns an error for testing");
}

static enum ves_mcp_outcome progress(struct ves_mcp_call *call, void *ctx)
{
    (void)ctx;
    for (int i = 0; i <= 100; i += 50) {
        ves_mcp_progress(call, i, 100, "working");
        nap();
    }
    return say(call, "Done.");
}

/* Long enough to be cancelled. */
static enum ves_mcp_outcome slow(struct ves_mcp_call *call, void *ctx)
{
    (void)ctx;
    for (int i = 0; i < 60 && ves_mcp_progress(call, i + 1, 60, "slowly"); i++)
        nap();
    return say(call, "Done slowly.");
}

static enum ves_mcp_outcome structured(struct ves_mcp_call *call, void *ctx)
{
    struct ves_jw *jw = ves_mcp_structured(call);

    (void)ctx;
    ves_jw_object(jw);
    member(jw, "s", ves_jr_str(ves_mcp_arguments(call), "/s"));
    ves_jw_end(jw);
    return VES_MCP_DONE;
}

static enum ves_mcp_outcome nothing(struct ves_mcp_call *call, void *ctx)
{
    (void)ctx;
    return say(call, "Nothing was done.");
}

/* ---- questions ----------------------------------------------------------- */

#define FORM(message, ...)          \
    "{\"message\":\"" message "\"," \
    "\"requestedSchema\":" #__VA_ARGS__ "}"
#define ASK_NAME                                       \
    FORM("What is your name?", {                       \
        "type" : "object",                             \
        "properties" : {"name" : {"type" : "string"}}, \
        "required" : ["name"]                          \
    })
#define ASK_GREETING                                                      \
    JSON({                                                                \
        "messages" : [ {                                                  \
            "role" : "user",                                              \
            "content" : {"type" : "text", "text" : "Generate a greeting"} \
        } ],                                                              \
        "maxTokens" : 50                                                  \
    })

static enum ves_mcp_outcome ask(struct ves_mcp_call *call, const char *key,
                                const char *method, const char *params)
{
    ves_mcp_ask(call, key, method, bytes(params));
    return VES_MCP_ASK;
}

static const char *answered(struct ves_mcp_call *call, const char *key,
                            const char *pointer)
{
    struct ves_jr *answer = ves_mcp_answer(call, key);

    return answer && ves_jr_has(answer, "%s", pointer)
               ? ves_jr_str(answer, "%s", pointer)
               : NULL;
}

static enum ves_mcp_outcome sampling(struct ves_mcp_call *call, void *ctx)
{
    const char *text = answered(call, "sample", "/content/text");
    char reply[512];

    (void)ctx;
    if (ves_mcp_answer(call, "sample")) {
        snprintf(reply, sizeof(reply), "LLM response: %s", text ? text : "");
        return say(call, reply);
    }
    struct ves_jw *jw = ves_jw_new(NULL, 65536);
    ves_jw_object(jw);
    ves_jw_key(jw, "messages");
    ves_jw_array(jw);
    ves_jw_object(jw);
    member(jw, "role", "user");
    ves_jw_key(jw, "content");
    text_block(jw, ves_jr_str(ves_mcp_arguments(call), "/prompt"));
    ves_jw_end(jw);
    ves_jw_end(jw);
    ves_jw_key(jw, "maxTokens");
    ves_jw_u64(jw, 100);
    ves_jw_end(jw);
    ves_mcp_ask(call, "sample", "sampling/createMessage", ves_jw_view(jw));
    ves_jw_free(jw);
    return VES_MCP_ASK;
}

/* Asks once and says what came back. */
static enum ves_mcp_outcome echo_form(struct ves_mcp_call *call,
                                      const char *prefix, const char *form)
{
    struct ves_jr *answer = ves_mcp_answer(call, "form");
    char reply[1024];

    if (!answer)
        return ask(call, "form", "elicitation/create", form);
    snprintf(reply, sizeof(reply), "%s: action=%s, content=%s", prefix,
             ves_jr_str(answer, "/action"), ves_jr_str(answer, "/content"));
    return say(call, reply);
}

static enum ves_mcp_outcome elicitation(struct ves_mcp_call *call, void *ctx)
{
    (void)ctx;
    return echo_form(call, "User response", FORM("Please answer", {
                         "type" : "object",
                         "properties" : {
                             "username" : {"type" : "string"},
                             "email" : {"type" : "string"}
                         },
                         "required" : [ "username", "email" ]
                     }));
}

static enum ves_mcp_outcome defaults(struct ves_mcp_call *call, void *ctx)
{
    (void)ctx;
    return echo_form(
        call, "Elicitation completed", FORM("Please check", {
            "type" : "object",
            "properties" : {
                "name" : {"type" : "string", "default" : "John Doe"},
                "age" : {"type" : "integer", "default" : 30},
                "score" : {"type" : "number", "default" : 95.5},
                "status" : {
                    "type" : "string",
                    "enum" : [ "active", "inactive", "pending" ],
                    "default" : "active"
                },
                "verified" : {"type" : "boolean", "default" : true}
            }
        }));
}

static enum ves_mcp_outcome enums(struct ves_mcp_call *call, void *ctx)
{
    (void)ctx;
    return echo_form(
        call, "Elicitation completed", FORM("Please choose", {
            "type" : "object",
            "properties" : {
                "untitledSingle" : {
                    "type" : "string",
                    "enum" : [ "option1", "option2", "option3" ]
                },
                "titledSingle" : {
                    "type" : "string",
                    "oneOf" : [
                        {"const" : "value1", "title" : "First Option"},
                        {"const" : "value2", "title" : "Second Option"},
                        {"const" : "value3", "title" : "Third Option"}
                    ]
                },
                "legacyEnum" : {
                    "type" : "string",
                    "enum" : [ "opt1", "opt2", "opt3" ],
                    "enumNames" : [ "Option One", "Option Two", "Option Three" ]
                },
                "untitledMulti" : {
                    "type" : "array",
                    "items" : {
                        "type" : "string",
                        "enum" : [ "option1", "option2", "option3" ]
                    }
                },
                "titledMulti" : {
                    "type" : "array",
                    "items" : {
                        "anyOf" : [
                            {"const" : "value1", "title" : "First Choice"},
                            {"const" : "value2", "title" : "Second Choice"},
                            {"const" : "value3", "title" : "Third Choice"}
                        ]
                    }
                }
            }
        }));
}

static enum ves_mcp_outcome ask_name(struct ves_mcp_call *call, void *ctx)
{
    const char *name = answered(call, "user_name", "/content/name");
    char reply[256];

    (void)ctx;
    if (!name)
        return ask(call, "user_name", "elicitation/create", ASK_NAME);
    snprintf(reply, sizeof(reply), "Hello, %s!", name);
    return say(call, reply);
}

static enum ves_mcp_outcome ask_capital(struct ves_mcp_call *call, void *ctx)
{
    const char *text = answered(call, "capital_question", "/content/text");

    (void)ctx;
    if (text)
        return say(call, text);
    return ask(
        call, "capital_question", "sampling/createMessage", JSON({
            "messages" : [ {
                "role" : "user",
                "content" :
                    {"type" : "text", "text" : "What is the capital of France?"}
            } ],
            "maxTokens" : 100
        }));
}

static enum ves_mcp_outcome ask_roots(struct ves_mcp_call *call, void *ctx)
{
    const char *roots = answered(call, "client_roots", "/roots");

    (void)ctx;
    return roots ? say(call, roots)
                 : ask(call, "client_roots", "roots/list", "{}");
}

static enum ves_mcp_outcome with_state(struct ves_mcp_call *call, void *ctx)
{
    struct ves_bytes state = ves_mcp_state(call);

    (void)ctx;
    if (answered(call, "confirm", "/content") && state.len == 5 &&
        memcmp(state.ptr, "asked", 5) == 0)
        return say(call, "state-ok");
    ves_mcp_keep(call, bytes("asked"));
    return ask(call, "confirm", "elicitation/create", FORM("Please confirm", {
                   "type" : "object",
                   "properties" : {"ok" : {"type" : "boolean"}},
                   "required" : ["ok"]
               }));
}

static enum ves_mcp_outcome several(struct ves_mcp_call *call, void *ctx)
{
    (void)ctx;
    if (ves_mcp_answer(call, "user_name") && ves_mcp_answer(call, "greeting") &&
        ves_mcp_answer(call, "client_roots") && ves_mcp_state(call).len)
        return say(call, "All three were answered.");
    ves_mcp_keep(call, bytes("several"));
    ask(call, "user_name", "elicitation/create", ASK_NAME);
    ask(call, "greeting", "sampling/createMessage", ASK_GREETING);
    return ask(call, "client_roots", "roots/list", "{}");
}

static enum ves_mcp_outcome rounds(struct ves_mcp_call *call, void *ctx)
{
    struct ves_bytes state = ves_mcp_state(call);
    const char *name = answered(call, "step1", "/content/name");
    const char *color = answered(call, "step2", "/content/color");
    char text[512];

    (void)ctx;
    if (state.len > 2 && color) {
        snprintf(text, sizeof(text), "%.*s likes %s.", (int)state.len - 2,
                 (const char *)state.ptr + 2, color);
        return say(call, text);
    }
    if (state.len == 1 && name) {
        snprintf(text, sizeof(text), "2 %s", name);
        ves_mcp_keep(call, bytes(text));
        return ask(call, "step2", "elicitation/create",
                   FORM("Step 2: What is your favorite color?", {
                       "type" : "object",
                       "properties" : {"color" : {"type" : "string"}},
                       "required" : ["color"]
                   }));
    }
    ves_mcp_keep(call, bytes("1"));
    return ask(call, "step1", "elicitation/create",
               FORM("Step 1: What is your name?", {
                   "type" : "object",
                   "properties" : {"name" : {"type" : "string"}},
                   "required" : ["name"]
               }));
}

/* Asks for what the client can do and nothing else. */
static enum ves_mcp_outcome capable(struct ves_mcp_call *call, void *ctx)
{
    bool has_asked = false;

    (void)ctx;
    if (ves_mcp_answer(call, "user_name") || ves_mcp_answer(call, "greeting"))
        return say(call, "Answered.");
    if (ves_mcp_can(call, VES_MCP_FORM)) {
        ask(call, "user_name", "elicitation/create", ASK_NAME);
        has_asked = true;
    }
    if (ves_mcp_can(call, VES_MCP_SAMPLING)) {
        ask(call, "greeting", "sampling/createMessage", ASK_GREETING);
        has_asked = true;
    }
    return has_asked ? VES_MCP_ASK
                     : say(call, "This client can be asked nothing.");
}

static enum ves_mcp_outcome need_sampling(struct ves_mcp_call *call, void *ctx)
{
    (void)ctx;
    if (ves_mcp_answer(call, "greeting"))
        return say(call, "Sampled.");
    return ask(call, "greeting", "sampling/createMessage", ASK_GREETING);
}

/* ---- resources and prompts ----------------------------------------------- */

static enum ves_mcp_outcome read_text(struct ves_mcp_call *call, void *ctx)
{
    (void)ctx;
    ves_mcp_text(call,
                 bytes("This is the content of the static text resource."));
    return VES_MCP_DONE;
}

static enum ves_mcp_outcome read_binary(struct ves_mcp_call *call, void *ctx)
{
    struct ves_bytes data = {png, sizeof(png)};

    (void)ctx;
    ves_mcp_blob(call, data);
    return VES_MCP_DONE;
}

static enum ves_mcp_outcome read_template(struct ves_mcp_call *call, void *ctx)
{
    char text[256];

    (void)ctx;
    snprintf(text, sizeof(text),
             "{\"id\":\"%.32s\",\"templateTest\":true,"
             "\"data\":\"Data for ID: %.32s\"}",
             ves_mcp_variable(call), ves_mcp_variable(call));
    ves_mcp_text(call, bytes(text));
    return VES_MCP_DONE;
}

static void say_as_user(struct ves_mcp_call *call, const char *text)
{
    struct ves_jw *jw = ves_mcp_items(call);

    ves_jw_object(jw);
    member(jw, "role", "user");
    ves_jw_key(jw, "content");
    text_block(jw, text);
    ves_jw_end(jw);
}

static enum ves_mcp_outcome prompt_simple(struct ves_mcp_call *call, void *ctx)
{
    (void)ctx;
    say_as_user(call, "This is a simple prompt for testing.");
    return VES_MCP_DONE;
}

static enum ves_mcp_outcome prompt_arguments(struct ves_mcp_call *call,
                                             void *ctx)
{
    struct ves_jr *args = ves_mcp_arguments(call);
    char text[512];

    (void)ctx;
    snprintf(text, sizeof(text),
             "Prompt with arguments: arg1='%.128s', arg2='%.128s'",
             ves_jr_str(args, "/arg1"), ves_jr_str(args, "/arg2"));
    say_as_user(call, text);
    return VES_MCP_DONE;
}

static enum ves_mcp_outcome prompt_resource(struct ves_mcp_call *call,
                                            void *ctx)
{
    struct ves_jw *jw = ves_mcp_items(call);

    (void)ctx;
    ves_jw_object(jw);
    member(jw, "role", "user");
    ves_jw_key(jw, "content");
    resource_block(jw, ves_jr_str(ves_mcp_arguments(call), "/resourceUri"),
                   "text/plain", "Embedded resource content for testing.");
    ves_jw_end(jw);
    say_as_user(call, "Please process the embedded resource above.");
    return VES_MCP_DONE;
}

static enum ves_mcp_outcome prompt_image(struct ves_mcp_call *call, void *ctx)
{
    struct ves_jw *jw = ves_mcp_items(call);

    (void)ctx;
    ves_jw_object(jw);
    member(jw, "role", "user");
    ves_jw_key(jw, "content");
    data_block(jw, "image", PNG, "image/png");
    ves_jw_end(jw);
    say_as_user(call, "Please analyze the image above.");
    return VES_MCP_DONE;
}

static enum ves_mcp_outcome prompt_asks(struct ves_mcp_call *call, void *ctx)
{
    const char *context = answered(call, "user_context", "/content/context");

    (void)ctx;
    if (!context)
        return ask(call, "user_context", "elicitation/create",
                   FORM("What context should the prompt use?", {
                       "type" : "object",
                       "properties" : {"context" : {"type" : "string"}},
                       "required" : ["context"]
                   }));
    say_as_user(call, context);
    return VES_MCP_DONE;
}

static enum ves_mcp_outcome complete(struct ves_mcp_call *call, void *ctx)
{
    static const char *const words[] = {"paris", "park", "party", "test1",
                                        "test2"};

    (void)ctx;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        ves_mcp_offer(call, words[i]);
    return VES_MCP_DONE;
}

/* ---- tables -------------------------------------------------------------- */

#define NO_ARGUMENTS JSON({"type" : "object"})
#define PLAIN(n, d, f)                                             \
    {                                                              \
        .name = n, .description = d, .input_schema = NO_ARGUMENTS, \
        .has_no_hints = true, .run = f                             \
    }
#define MRTR "test_input_required_result_"

static const struct ves_mcp_tool tools[] = {
    PLAIN("test_simple_text", "Returns text", simple_text),
    PLAIN("test_image_content", "Returns an image", image),
    PLAIN("test_audio_content", "Returns sound", audio),
    PLAIN("test_embedded_resource", "Returns a resource", embedded),
    PLAIN("test_multiple_content_types", "Returns three blocks", mixed),
    PLAIN("test_tool_with_logging", "Logs three times", logging),
    PLAIN("test_error_handling", "Always fails", error),
    PLAIN("test_tool_with_progress", "Reports progress", progress),
    PLAIN("test_slow", "Takes three seconds", slow),
    {.name = "test_sampling",
     .description = "Asks the client's model",
     .input_schema = JSON({
         "type" : "object",
         "properties" : {"prompt" : {"type" : "string"}},
         "required" : ["prompt"]
     }),
     .has_no_hints = true,
     .run = sampling},
    {.name = "test_elicitation",
     .description = "Asks the user",
     .input_schema = JSON({
         "type" : "object",
         "properties" : {"message" : {"type" : "string"}},
         "required" : ["message"]
     }),
     .has_no_hints = true,
     .run = elicitation},
    PLAIN("test_elicitation_sep1034_defaults", "Asks, with defaults", defaults),
    PLAIN("test_elicitation_sep1330_enums", "Asks for choices", enums),
    {.name = "json_schema_2020_12_tool",
     .description = "Tool with JSON Schema 2020-12 features",
     .input_schema = JSON({
         "$schema" : "https://json-schema.org/draft/2020-12/schema",
         "type" : "object",
         "$defs" : {
             "address" : {
                 "$anchor" : "addressDef",
                 "type" : "object",
                 "properties" : {
                     "street" : {"type" : "string"},
                     "city" : {"type" : "string"}
                 }
             }
         },
         "properties" : {
             "name" : {"type" : "string"},
             "address" : {"$ref" : "#/$defs/address"},
             "contactMethod" :
                 {"type" : "string", "enum" : [ "phone", "email" ]},
             "phone" : {"type" : "string"},
             "email" : {"type" : "string"}
         },
         "allOf" : [
             {"anyOf" :
                  [ {"required" : ["phone"]}, {"required" : ["email"]} ]}
         ],
         "if" : {
             "properties" : {"contactMethod" : {"const" : "phone"}},
             "required" : ["contactMethod"]
         },
         "then" : {"required" : ["phone"]},
         "else" : {"required" : ["email"]},
         "additionalProperties" : false
     }),
     .has_no_hints = true,
     .run = nothing},
    {.name = "test_x_mcp_header",
     .description = "Has a parameter that clients repeat in a header",
     .input_schema = JSON({
         "type" : "object",
         "properties" :
             {"region" : {"type" : "string", "x-mcp-header" : "Region"}}
     }),
     .has_no_hints = true,
     .run = nothing},
    {.name = "test_structured",
     .description = "Says what it is told",
     .input_schema = JSON({
         "type" : "object",
         "properties" : {
             "s" : {"type" : "string"},
             "n" : {"type" : "integer", "minimum" : 1, "maximum" : 10}
         },
         "required" : ["s"],
         "additionalProperties" : false
     }),
     .output_schema = JSON({
         "type" : "object",
         "properties" : {"s" : {"type" : "string"}},
         "required" : ["s"]
     }),
     .is_read_only = true,
     .is_idempotent = true,
     .run = structured},
    PLAIN("test_missing_capability", "Needs sampling", need_sampling),
    PLAIN("test_streaming_elicitation", "Asks the user", ask_name),
    PLAIN("test_logging_tool", "Logs", logging),
    PLAIN(MRTR "elicitation", "Asks for a name", ask_name),
    PLAIN(MRTR "sampling", "Asks for a capital", ask_capital),
    PLAIN(MRTR "list_roots", "Asks for roots", ask_roots),
    PLAIN(MRTR "request_state", "Keeps a state", with_state),
    PLAIN(MRTR "multiple_inputs", "Asks three things", several),
    PLAIN(MRTR "multi_round", "Asks twice", rounds),
    PLAIN(MRTR "tampered_state", "Keeps a sealed state", with_state),
    PLAIN(MRTR "capabilities", "Asks what can be asked", capable),
    {.name = NULL}};

static const struct ves_mcp_resource resources[] = {
    {.uri = "test://static-text",
     .name = "static-text",
     .description = "A text",
     .mime_type = "text/plain",
     .read = read_text},
    {.uri = "test://static-binary",
     .name = "static-binary",
     .description = "An image",
     .mime_type = "image/png",
     .read = read_binary},
    {.uri = "test://watched-resource",
     .name = "watched-resource",
     .description = "A text that can be watched",
     .mime_type = "text/plain",
     .is_subscribable = true,
     .read = read_text},
    {.uri = "test://template/{id}/data",
     .name = "template",
     .description = "Data of an id",
     .mime_type = "application/json",
     .is_template = true,
     .read = read_template},
    {.uri = NULL}};

static const struct ves_mcp_prompt prompts[] = {
    {.name = "test_simple_prompt",
     .description = "A prompt",
     .get = prompt_simple},
    {.name = "test_prompt_with_arguments",
     .description = "A prompt with two arguments",
     .arguments =
         (const struct ves_mcp_prompt_argument[]){{"arg1", "First", true},
                                                  {"arg2", "Second", true},
                                                  {NULL, NULL, 0}},
     .get = prompt_arguments},
    {.name = "test_prompt_with_embedded_resource",
     .description = "A prompt with a resource",
     .arguments =
         (const struct ves_mcp_prompt_argument[]){
             {"resourceUri", "Which one", true}, {NULL, NULL, 0}},
     .get = prompt_resource},
    {.name = "test_prompt_with_image",
     .description = "A prompt with an image",
     .get = prompt_image},
    {.name = "test_input_required_result_prompt",
     .description = "A prompt that asks first",
     .get = prompt_asks},
    {.name = NULL}};

static bool seal_key(void *ctx, uint8_t key[32])
{
    (void)ctx;
    memset(key, 7, 32);
    return true;
}

int main(int argc, char **argv)
{
    struct ves_mcp_options options = {.name = "mcp-fixture",
                                      .title = "Conformance fixture",
                                      .version = "1.0.0",
                                      .instructions = "A server to be tested.",
                                      .tools = tools,
                                      .resources = resources,
                                      .prompts = prompts,
                                      .complete = complete,
                                      .has_logging = true,
                                      .seal_key = seal_key,
                                      .checks_output = true};
    struct ves_mcp_http_options http = {NULL, NULL, NULL, NULL};
    struct ves_error failure = {VES_OK, ""};
    struct ves_mcp *mcp;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--http") == 0)
            http.listen = argv[i + 1];
        else if (strcmp(argv[i], "--port-file") == 0)
            http.port_file = argv[i + 1];
        else if (strcmp(argv[i], "--token-file") == 0)
            http.token_file = argv[i + 1];
    }
    enum ves_status status = ves_mcp_new(&options, &mcp, &failure);
    if (!status) {
        status = http.listen ? ves_mcp_run_http(mcp, &http, &failure)
                             : ves_mcp_run_stdio(mcp, &failure);
        ves_mcp_free(mcp);
    }
    if (status)
        fprintf(stderr, "mcp-fixture: %s\n", failure.text);
    return status ? 1 : 0;
}
