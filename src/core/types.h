/* types.h -- what the program knows of event types, as data.
 *
 * semantics.md decisions 5, 9, 10 and sections 3.4, 4.2.  A type is a list of
 * operations on the state of its entity: the fold does them (core/fold.h) and
 * the judge compares them (core/effect_read.h), so that neither can say
 * anything the other does not.  A new type is a new row.  Types without a row
 * are carried: version 0, no operations, outside the state hash.
 */
#ifndef VES_CORE_TYPES_H
#define VES_CORE_TYPES_H

#include "core/effect.h"
#include "json/json.h"

enum ves_event_class { VES_CLASS_INTENT, VES_CLASS_FACT };
enum ves_base_rule { VES_BASE_REQUIRED, VES_BASE_NONE };

enum { VES_FOLD_VERSION = 4, VES_JUDGE_VERSION = 4 };

/* The one system event the judge reads (semantics.md 3.3). */
#define VES_TYPE_RESOLVED "ves.conflict.resolved"

/* ---- operations ---------------------------------------------------------- */

/* Where an operation takes its value from. */
enum ves_source {
    VES_SOURCE_END,    /* closes a list */
    VES_SOURCE_MEMBER, /* the payload's value at pointer `from` ("": the whole
                          payload); nothing is done when there is none */
    VES_SOURCE_TEXT,   /* the text `from` itself */
    VES_SOURCE_VALUE,  /* `value` itself; NULL: none, what is there goes */
    VES_SOURCE_FILL,   /* every leaf of the payload, below `path`, unless the
                          state has something there */
    VES_SOURCE_PATCH,  /* the RFC 7396 patch at pointer `from`, applied to what
                          is at `path` */
    VES_SOURCE_EDIT,   /* the patch `patch`, else the whole payload as one; the
                          other pointers in `before` are expected */
    VES_SOURCE_EVENT   /* the event itself, equal to no other */
};

struct ves_operation {
    /* SET, DELTA, ADD_TO_SET, APPEND, TRANSITION and ADVANCE write at `path`.
     * CREATE makes the entry at `path`; is one there, the whole event does
     * nothing.  DELETE and RESTORE concern the entity.  DEFAULT writes only
     * where the state has nothing and is no effect. */
    enum ves_op op;
    /* JSON pointer into the state, or a name beginning with "@" that is no
     * part of it: a mark two events can only both set if it is equal.  {name}
     * stands for the payload's id of that name; {name|event_id} is the event's
     * own id when it is not there. */
    const char *path;
    enum ves_source source;
    const char *from;
    bool is_negative; /* DELTA: take away */
    const struct ves_json *value;
};

/* A payload member that names another entity. */
struct ves_reference {
    const char *pointer; /* a token * stands for every item of an array */
    const char *entity_type;
};

/* ---- payloads ------------------------------------------------------------ */

enum ves_field_kind {
    VES_FIELD_END,      /* closes a list */
    VES_FIELD_ANY,      /* whatever it is */
    VES_FIELD_ID,       /* a text of 1 to VES_ENTITY_ID_MAX bytes, an integer */
    VES_FIELD_TEXT,     /* a text */
    VES_FIELD_FLAG,     /* true or false */
    VES_FIELD_QUANTITY, /* a decimal string or number (core/quantity.h) */
    VES_FIELD_AMOUNT,   /* the same, not below zero */
    VES_FIELD_MINOR,    /* money: an integer of the currency's minor unit */
    VES_FIELD_CURRENCY, /* three capital letters */
    VES_FIELD_OBJECT,
    VES_FIELD_PATCH,  /* an object; null is none, it would remove the state */
    VES_FIELD_BEFORE, /* an object of pointers and previous values */
    VES_FIELD_LIST,   /* an array of objects */
    VES_FIELD_TEXTS   /* an array of texts, or one text */
};

enum ves_need {
    VES_NEED_NO,
    VES_NEED_YES,  /* required wherever its parent is */
    VES_NEED_ONE,  /* at least one of those marked so */
    VES_NEED_MONEY /* required where a member ending in _minor occurs */
};

struct ves_field {
    const char *pointer; /* a token * stands for every item of an array */
    enum ves_field_kind kind;
    enum ves_need need;
};

/* ---- types --------------------------------------------------------------- */

/* Merging is by name and version, so that a resolution can say which one it
 * used (semantics.md 3.4): */
#define VES_MERGE_NEVER  "never"    /* by a person only */
#define VES_MERGE_FIELDS "fields/1" /* three-way, field by field */
#define VES_MERGE_ORDER  "order/1"  /* fields, lines by uid */
#define VES_MERGE_DELTAS "deltas/1" /* sums */

/* Rules that operations do not express: these types' operations are what the
 * judge sees of them (core/fold.h says what they do). */
enum ves_fold_kind {
    VES_FOLD_OPERATIONS,
    VES_FOLD_RESERVE,
    VES_FOLD_RELEASE,
    VES_FOLD_FULFIL
};

struct ves_event_type {
    const char *name;        /* "order.created" */
    const char *entity_type; /* "order" */
    uint32_t version;        /* rule version named in _ves.schema */
    enum ves_event_class event_class;
    bool is_intent_by_origin; /* a draft or a web order is no sale yet */
    enum ves_base_rule base;
    const char *merge;
    enum ves_fold_kind fold;
    const struct ves_operation *operations; /* closed by END */
    const struct ves_reference *references; /* closed by pointer NULL */
    const struct ves_field *fields;         /* closed by END */
};

/* Is this event a fact (decision 10: `origin` "web" or "draft" makes an
 * order.created an intent)?  payload NULL: not readable, the type decides. */
bool ves_event_is_fact(const struct ves_event_type *type,
                       const struct ves_json *payload);

/* Every row, ascending by name; NULL past the end. */
const struct ves_event_type *ves_event_type_at(size_t index);

/* The row of a built-in type; NULL when unknown. */
const struct ves_event_type *ves_event_type_find(struct ves_bytes event_type);

/* The rules that an event with that sequence is read by: the built-in ones,
 * and those the log before it holds (core/rules.h).  Zeros: the built-in ones
 * alone.  VES_SEQUENCE_NEXT: all that are known. */
struct ves_rules;
struct ves_rules_at {
    const struct ves_rules *rules;
    uint64_t sequence;
};
#define VES_RULES_BUILT_IN ((struct ves_rules_at){NULL, 0})
#define VES_SEQUENCE_NEXT  UINT64_MAX

/* The row of that version; 0: the newest.  NULL when there is none. */
const struct ves_event_type *ves_rules_type(struct ves_rules_at at,
                                            struct ves_bytes event_type,
                                            uint32_t version);

/* Is the payload what the type demands (decision 10)?  VES_INVALID with *error
 * naming the JSON pointer of the bad member, e.g.
 * "payload /lines/0/quantity: expected a decimal number or string".
 *
 * Members with value null count as absent but for patches.  Besides what the
 * type's fields say, members whose names end in _minor are money, at the top,
 * in `totals` and in the items of `lines`, in every type.  All others may be
 * anything. */
VES_NODISCARD enum ves_status
ves_event_type_check(const struct ves_event_type *type,
                     const struct ves_json *payload, struct ves_error *error);

/* What is expected of the value of that field, "an object"; NULL when node is
 * it.  node NULL or null: there is none. */
const char *ves_field_fault(const struct ves_field *field,
                            const struct ves_json *node);

/* ---- entities ------------------------------------------------------------ */

/* A member that is an array of things with an id of their own until one of
 * them is addressed by it ("/lines/L1"): then it becomes an object of the same
 * things by id. */
struct ves_list {
    const char *name; /* of the member: "lines" */
    const char *key;  /* "line_uid" */
};

/* ADVANCE never goes down it; words that are not on it give way. */
struct ves_ladder {
    const char *path;
    const char *const *words; /* ascending, closed by NULL */
};

/* A member that is always the difference of two others, if one of these is
 * there, and absent otherwise.  Neither is a balance itself.  No part of any
 * footprint. */
struct ves_balance {
    const char *name, *minuend, *subtrahend;
};

struct ves_entity_type {
    const char *name;
    const struct ves_list *lists;       /* closed by name NULL */
    const struct ves_ladder *ladders;   /* closed by path NULL */
    const struct ves_balance *balances; /* closed by name NULL */
};

/* A built-in one.  Never NULL: without a row it has none of these. */
const struct ves_entity_type *ves_entity_type_find(struct ves_bytes name);
bool ves_entity_type_is_built_in(struct ves_bytes name);

/* Same with those of the rules. */
const struct ves_entity_type *ves_rules_entity(struct ves_rules_at at,
                                               struct ves_bytes name);

#endif
