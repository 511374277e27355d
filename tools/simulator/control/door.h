/* door.h - shared by the files behind the door: values options acts looks door. */
#ifndef SIMULATOR_DOOR_H
#define SIMULATOR_DOOR_H

#include "control.h"

/* values.c */
const char *value_text(const cJSON *o, const char *name); /* NULL: no such text */
int64_t value_number(const cJSON *o, const char *name);   /* 0: no such number; true is 1 */
bool value_is_whole(const cJSON *v); /* a number that is whole and fits, or a boolean */
/* The place of the text `name` in `words`; 0 if it is not there; -1: an unknown word. */
int value_word(const cJSON *o, const char *name, const char *const *words, int count);
bool control_refuse(control *c, const char *why); /* always false */
bool control_say_id(control *c, const char *member, const char *id,
                    const char *why); /* NULL: refused */
bool control_say_done(control *c, bool done, const char *why);

/* options.c */
bool options_set(sim_options *o, const char *name, int64_t n); /* false: no such option or value */
void options_put(control *c, simi_buf *b);
void options_help(simi_buf *b); /* a line for each, as / shows them */

/* acts.c, for POST, and looks.c, for GET: `o` has only members that door.c's table allows. False:
 * refused, and c->why says why. */
bool act_chat(control *c, cJSON *o);
bool act_message(control *c, cJSON *o);
bool act_read(control *c, cJSON *o);
bool act_delete(control *c, cJSON *o);
bool act_media(control *c, cJSON *o);
bool act_fault(control *c, cJSON *o);
bool act_tokens(control *c, cJSON *o);
bool act_code(control *c, cJSON *o);
bool act_option(control *c, cJSON *o);
bool act_reset(control *c, cJSON *o);
bool act_story(control *c, cJSON *o);

bool look_stats(control *c, cJSON *o);
bool look_store(control *c, cJSON *o);
bool look_chats(control *c, cJSON *o);
bool look_messages(control *c, cJSON *o);
bool look_uploads(control *c, cJSON *o);
bool look_state(control *c, cJSON *o);
bool look_request(control *c, cJSON *o);
bool look_changes(control *c, cJSON *o);
bool look_story(control *c, cJSON *o);

#endif
