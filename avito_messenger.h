/*
 * avito_messenger.h - v0.2.0 - Avito Messenger API client, one C99 header, MIT licence
 *
 * Takes part in Avito chats from a microcontroller, a router or a server: every
 * call of the Messenger API, over any byte transport, in memory that you give.
 *
 * Do this in exactly ONE C or C++ file:
 *
 *     #define AVITO_MESSENGER_IMPLEMENTATION
 *     #include "avito_messenger.h"
 *
 * and plain #include "avito_messenger.h" everywhere else. Macros, to be set the
 * same way before every #include of this file:
 *
 *     AVITO_WITH_POSIX      1: declare and build the POSIX TCP transport     (default 0)
 *     AVITO_WITH_BEARSSL    1: declare and build the BearSSL TLS transport   (default 0)
 *     AVITO_WITH_FILES      0: no file store (>>93), no struct with everything (>>94)
 *                                                        (default 1 with POSIX on a Unix)
 *     AVITO_STATIC          1: every function is static                      (default 0)
 *     AVITO_BEARSSL_H       <path/bearssl.h>, if it is at neither place named below
 *
 * and only where the implementation is:
 *
 *     AVITO_TINY            1: for boards; what few programs need is linked by
 *                           avito_enable_*() only (>>15)             (default 0)
 *     AVITO_WITH_SHORTCUTS  0: some 20 KB less code and tables, but several times slower (default:
 *                           0 with AVITO_TINY, or with -Os where there is no operating system)
 *     AVITO_WITH_SIMD       0: no SSE2 intrinsics                    (default 1 where SSE2 is)
 *     AVITO_TLS_OWN_PROFILE 1: .configure chooses BearSSL's parts    (default 0)
 *
 * None of them changes a public struct.
 *
 * The implementation includes jsmn.h, from beside this file or the include path
 * (Debian: libjsmn-dev). With AVITO_WITH_BEARSSL this file includes bearssl.h or
 * bearssl/bearssl.h (libbearssl-dev, link with -lbearssl), or AVITO_BEARSSL_H.
 * With -std=c99, AVITO_WITH_POSIX needs -D_POSIX_C_SOURCE=200809L.
 *
 * To read on: search for ">>1". Licence: at the end.
 */
/*
 * The manual is this comment: ten chapters, each readable alone. The interface follows, then the
 * implementation, bottom-up, up to "you may stop here"; then manual, interface and implementation
 * of the parts that a program may leave out. To go to a chapter, search for its mark. `make docs`
 * compiles the code in the comments; `make manual-check` compares the tables that repeat the code.
 *
 *     MANUAL
 *       >>1 WHAT IT IS, WHAT IT IS NOT
 *       >>2 FIVE MINUTES
 *       >>3 HOW IT IS BUILT
 *       >>4 LIFE OF A CALL
 *       >>5 MEMORY
 *       >>6 YOUR OWN TRANSPORT
 *       >>7 WHEN IT FAILS
 *       >>8 TOKENS
 *       >>9 THE API, CALL BY CALL
 *       >>10 THREADS, SECURITY, POLICIES, VERSIONS
 *     INTERFACE OF THE CORE
 *       >>11 VERSION AND COMPILER
 *       >>12 RESULTS AND ERRORS
 *       >>13 STRINGS AND ARENA
 *       >>14 TRANSPORT
 *       >>15 ACCOUNT
 *       >>16 MODELS
 *       >>17 OPTIONS OF CALLS
 *       >>18 CLIENT
 *       >>19 CALLS
 *     THE CORE, BOTTOM-UP
 *       >>20 PROLOGUE
 *       >>21 TEXT
 *       >>22 ARENA
 *       >>23 NUMBERS
 *       >>24 SCHEMAS
 *       >>25 SCHEMAS: CHATS TO REPLIES
 *       >>26 JSON: WHAT IS OPEN
 *       >>27 JSON: COMPLETE VALUES
 *       >>28 JSON: STRINGS
 *       >>29 JSON: THE MACHINE
 *       >>30 WRITER
 *       >>31 ENDPOINTS
 *       >>32 REQUEST
 *       >>33 HTTP BODY FRAMING
 *       >>34 RESPONSE HEAD
 *       >>35 ACCOUNT
 *       >>36 CALL
 *       >>37 ERRORS
 *       >>38 TOKENS
 *       >>39 ANSWERS
 *       >>40 EXCHANGE
 *       >>41 CALL MACHINE
 *       >>42 CLIENT AND CALLS
 *     SPEED
 *       >>43 SPEED: HEAD LINES
 *       >>44 SPEED: TEXT
 *       >>45 SPEED: MEMBERS
 *       >>46 SPEED: OBJECTS AND LISTS
 *     MANUAL OF THE PARTS
 *       >>47 PORTING
 *       >>48 TLS
 *       >>49 STORED TOKENS, RATE, RETRIES
 *       >>50 WEBHOOKS
 *       >>51 INBOX: HOW IT WORKS
 *       >>52 SENDING: SENT OR NOT
 *     INTERFACE OF THE PARTS
 *       >>53 LISTS, ELEMENT BY ELEMENT
 *       >>54 AUTHORIZATION
 *       >>55 NOTIFICATIONS
 *       >>56 CONFIRMING
 *       >>57 WEBHOOK RECEIVER
 *       >>58 INBOX
 *       >>59 POSIX TCP (AVITO_WITH_POSIX)
 *       >>60 TLS BY BEARSSL (AVITO_WITH_BEARSSL)
 *       >>61 RAW JSON
 *       >>62 SHOW
 *     THE PARTS
 *       >>63 TEXT: GRAPHEMES
 *       >>64 LISTS
 *       >>65 ERROR TEXTS
 *       >>66 AUTHORIZATION
 *       >>67 HEADER LINES
 *       >>68 SEVERAL LANES
 *       >>69 TOKEN STORE
 *       >>70 RATE
 *       >>71 RETRIES
 *       >>72 DIAGNOSTICS
 *       >>73 WHAT NO MODEL KNOWS
 *       >>74 NOTIFICATIONS
 *       >>75 WEBHOOK RECEIVER
 *       >>76 INBOX: WHAT IT REMEMBERS
 *       >>77 INBOX: LISTS
 *       >>78 INBOX: PHASES
 *       >>79 INBOX: ROUNDS
 *       >>80 SENDING AND OTHER CHANGES
 *       >>81 CONFIRMING
 *       >>82 RAW JSON
 *       >>83 SHOW
 *       >>84 SHOW: JSON
 *       >>85 POSIX
 *       >>86 TCP
 *       >>87 TLS: CERTIFICATES
 *       >>88 TLS: SET-UP
 *       >>89 TLS: RECORDS
 *       >>90 TLS: CONNECTIONS
 *       >>91 TLS: TRUST ANCHORS
 *     MANUAL FOR A COMPUTER
 *       >>92 ON A COMPUTER
 *     INTERFACE FOR A COMPUTER
 *       >>93 FILE STORE (AVITO_WITH_FILES)
 *       >>94 EVERYTHING IN ONE STRUCT (AVITO_WITH_FILES and AVITO_WITH_BEARSSL)
 *     PARTS FOR A COMPUTER
 *       >>95 FILE STORE
 *       >>96 STORED SENDS AND PICTURES
 *       >>97 EVERYTHING IN ONE STRUCT
 *
 * ======================================================================= *
 * >>1 WHAT IT IS, WHAT IT IS NOT
 * ======================================================================= *
 *
 * It is
 *   * a client for the Avito Messenger API: tokens, chats, messages, images, voice files,
 *     blacklist, webhooks; and what a bot needs around it: an inbox, confirmed sends, a webhook
 *     receiver;
 *   * one C99 header, also C++11, whose core needs mem*, str* and nothing else of the C library;
 *   * without a heap, without hidden variables, without recursion: all memory is yours, of known
 *     size;
 *   * a machine that never waits by itself: you may let the transport wait, or step it from any
 *     loop;
 *   * a streaming decoder: a list of any length is read in the memory of one element;
 *   * strict: what breaks HTTP, JSON, UTF-8 or TLS rules is an error, never data.
 *
 * It is not
 *   * a thread, a timer, a signal handler or an owner of your loop; nothing is callable from an
 *     interrupt;
 *   * a store: a message lives in your arena until you reset it, and nowhere else;
 *   * something that retries by itself: without .retries only a refused token is replaced, once per
 *     call;
 *   * HTTP/2, TLS 1.3, compression, proxies, cookies or redirects; a cellular modem only has to
 *     carry bytes;
 *   * a verifier of webhook signatures: how they are made is not published (>>50);
 *   * the rest of Avito's API: no listings, no orders, no reviews.
 *
 * What it costs: RAM in >>5 (`make sizes`); flash, stack and instructions per processor are printed
 * by `make footprint` and kept in tools/footprint/figures.txt; calls that you do not use are
 * dropped by the linker (-ffunction-sections, --gc-sections). Speed beside other parsers: `make
 * bench`.
 *
 * ======================================================================= *
 * >>2 FIVE MINUTES
 * ======================================================================= *
 *
 * A whole program. It sends one text into a chat and waits until that is done. All memory is at the
 * top. Build it with: cc -I. program.c -lbearssl. The client id and secret are on the developer
 * page of the Avito account; the chat's id comes from avito_get_chats() or a notification::
 *
 *     #define AVITO_MESSENGER_IMPLEMENTATION
 *     #define AVITO_WITH_POSIX 1
 *     #define AVITO_WITH_BEARSSL 1
 *     #include "avito_messenger.h"
 *
 *     #include <stdio.h>
 *
 *     static char roots[256 * 1024];                     // trust anchors: >>48
 *     static char records[AVITO_TLS_BUFFER_HALF(16384)]; // TLS records
 *     static char tokens[AVITO_TOKENS_SIZE(128)];        // access and refresh token
 *     static char window[1024];                          // what is on its way in or out
 *     static char room[4096];                            // what answers are decoded into
 *
 *     static avito_anchors anchors;
 *     static avito_tcp tcp;
 *     static avito_tls tls;
 *     static avito_account account;
 *     static avito_client client;
 *
 *     static int set_up(const char *id, const char *secret)
 *     {
 *         avito_tls_options t = avito_tls_options_default();
 *         avito_account_options a = avito_account_options_default();
 *         avito_client_options c = avito_client_options_default();
 *         int rc = avito_anchors_load_file(&anchors, roots, sizeof roots,
 *                                          "/etc/ssl/certs/ca-certificates.crt");
 *         if (rc != AVITO_OK || (rc = avito_tcp_init(&tcp, NULL)) != AVITO_OK) {
 *             return rc;
 *         }
 *         t.transport = avito_tcp_transport(&tcp);
 *         t.anchors = anchors.items;
 *         t.anchors_count = anchors.count;
 *         t.buffer = records;
 *         t.buffer_cap = sizeof records;
 *         t.unix_time = avito_posix_unix_time;
 *         t.entropy = avito_posix_entropy;
 *         a.client_id = id;
 *         a.client_secret = secret;
 *         a.tokens = tokens;
 *         a.tokens_cap = sizeof tokens;
 *         a.clock_ms = avito_posix_clock_ms;
 *         if ((rc = avito_tls_init(&tls, &t)) != AVITO_OK ||
 *             (rc = avito_account_init(&account, &a)) != AVITO_OK) {
 *             return rc;
 *         }
 *         c.transport = avito_tls_transport(&tls);
 *         c.window = window;
 *         c.window_cap = sizeof window;
 *         return avito_client_init(&client, &account, &c);
 *     }
 *
 *     int main(int argc, char **argv)
 *     {
 *         avito_arena arena = avito_arena_of(room, sizeof room);
 *         avito_message sent;
 *         avito_self me;
 *         int rc = argc == 5 ? set_up(argv[1], argv[2]) : AVITO_ERR_ARGUMENT;
 *
 *         if (rc == AVITO_OK && (rc = avito_get_self(&client, &arena, &me)) == AVITO_OK) {
 *             rc = avito_send_message(&client, me.id, argv[3], argv[4], &arena, &sent);
 *         }
 *         if (rc != AVITO_OK) {
 *             fprintf(stderr, "%s: %s\n", avito_error_text(rc), avito_last_error(&client)->text);
 *             return 1;
 *         }
 *         printf("sent as %s\n", sent.id.ptr);
 *         avito_client_close(&client);
 *         return 0;
 *     }
 *
 * The same without waiting, in a loop of yours. Two things change. The lane must not wait and so
 * cannot look names up: give the TCP transport .never_wait and an .address or a .resolve hook
 * (>>59). And a call may return AVITO_AGAIN: then you step it until it ends. Here with poll(); with
 * select(), epoll, an event group of an RTOS, or a bare loop of avito_step(), it is the same::
 *
 *     #include <poll.h>
 *
 *     static int finish(int rc)
 *     {
 *         while (rc == AVITO_AGAIN) {
 *             const int wants = avito_wants(&client);
 *             const uint32_t ms = avito_deadline_ms(&client);
 *             struct pollfd fd = {avito_tcp_fd(&tcp), 0, 0}; // -1, none yet: poll() skips it
 *
 *             fd.events = (short)((wants & AVITO_WANT_READ ? POLLIN : 0) |
 *                                 (wants & AVITO_WANT_WRITE ? POLLOUT : 0));
 *             poll(&fd, 1, ms < 60000 ? (int)ms : 60000);
 *             rc = avito_step(&client); // add your own descriptors, and more lanes, around this
 *         }
 *         return rc;
 *     }
 *
 *     static int send_one(const char *to, const char *words)
 *     {
 *         avito_message sent; // must live until the call ends, as `to`, `words` and `arena` must
 *
 *         return finish(avito_send_message(&client, user_id, to, words, &arena, &sent));
 *     }
 *
 * A list, element by element; `chat` and all it points to is good until the next one::
 *
 *     avito_chats_query query;
 *
 *     memset(&query, 0, sizeof query);
 *     query.unread_only = true;
 *     query.want = AVITO_CHAT_ALL & ~AVITO_CHAT_AVATARS;
 *     result = avito_list_chats(&client, user_id, &query, &arena); // AVITO_AGAIN: step it first
 *     while (avito_list_open(&client)) {
 *         result = avito_next_chat(&client, &chat);
 *         if (result == AVITO_OK) {
 *             ...
 *         } else if (result == AVITO_ERR_ARENA) {
 *             // skipped: avito_last_error() has its id and the size that would do
 *         }
 *     }
 *
 * More: examples/, one idea per file; the first line of each builds it.
 *
 * ======================================================================= *
 * >>3 HOW IT IS BUILT
 * ======================================================================= *
 *
 *     arguments > endpoint > request writer > transport.send > (TLS) > wire
 *                                                                        |
 *     model < schemas < JSON machine < response reader < transport.recv
 *     raw JSON > JSON machine > jsmn > tokens in your memory
 *
 *   endpoint (>>31)          what differs between calls: method, path, query, body, schema of the
 *                            answer
 *   request writer (>>30)    a pure function of the arguments. Each piece is written by running it
 *                            again and skipping what has left, so any window serves any request. A
 *                            first run without memory counts Content-Length
 *   response reader (>>33, >>34)   byte by byte; no line of a head has to fit anywhere
 *   JSON machine (>>29)      checks all of the JSON, drops what was not asked for before it takes
 *                            memory, decodes each string once, to its final place in your arena;
 *                            with AVITO_RAW it keeps what no schema knows as it came (>>73)
 *   schemas (>>24)           say which member goes where in which struct
 *   jsmn (>>82)              tokenises what no model knows and what lies whole in memory, after the
 *                            machine has proven it valid
 *   call machine (>>41)      moves all of this; the only state that you see is AVITO_AGAIN
 *   transports (>>85, >>88)  and yours; of all functions in this file only a transport's wait()
 *                            waits
 *
 * Where this differs from what one would write first, and why:
 *
 *   * No tokens. Those of a whole chat would take more memory than its models. A value goes
 *     straight into the struct of the object that is open, to the place that the row of its key
 *     names; nothing of it is kept in between, and no number is parsed twice.
 *   * An object that is a member is made where it stays: at the low end, when it opens; its strings
 *     come after it. Elements of a list and the answer's own struct are made at the high end.
 *   * Members that need nothing special go a short way around the state machine (>>29), with the
 *     same result: keys compared as they are written, text in blocks of 16 bytes, or 8 in plain C,
 *     digits and escapes several at a time. AVITO_TINY 1 or AVITO_WITH_SHORTCUTS 0 leaves it out,
 *     AVITO_WITH_SIMD 0 the SSE2 scan.
 *   * Elements of an array are collected at the high end of the arena, since their number is not
 *     known before the array closes. Then they move down into one array. A list read whole is the
 *     list read element by element, collected.
 *
 * ======================================================================= *
 * >>4 LIFE OF A CALL
 * ======================================================================= *
 *
 * A call is a function such as avito_get_chat(). It checks its arguments (an error here costs no
 * byte and leaves the lane idle), notes them, and runs the machine: to the end on a lane that may
 * wait, else until it would have to wait. From then on avito_step() moves it.
 *
 *          START         TOKEN         CONNECTED      WRITTEN      ANSWER        ELEMENT
 *     IDLE -----> ACCOUNT ----> CONNECT ------> SEND -------> HEAD -------> BODY <------> ROW
 *      ^             ^             |             | |            |           ^ |    NEXT    |
 *      |             |   REPEAT    v             v |            v           | v            |
 *      |             +-------------+-------------+-|------------+-----------|-+      DRAIN |
 *      |                                           +------------------------+ |            |
 *      |  END, from every state                      ANSWER before WRITTEN    v            |
 *      +-------------------------------------------------------------------- DRAIN <-------+
 *
 * This table is the code's (AVITOI_CALL_EDGES, >>41; `make manual-check`). "." cannot happen.
 *
 *     state    START   TOKEN   CONNECTED WRITTEN ANSWER ELEMENT NEXT REPEAT  DRAIN END
 *     IDLE     ACCOUNT .       .         .       .      .       .    .       .     IDLE
 *     ACCOUNT  .       CONNECT .         .       .      .       .    ACCOUNT .     IDLE
 *     CONNECT  .       .       SEND      .       .      .       .    ACCOUNT .     IDLE
 *     SEND     .       .       .         HEAD    BODY   .       .    ACCOUNT .     IDLE
 *     HEAD     .       .       .         .       BODY   .       .    ACCOUNT .     IDLE
 *     BODY     .       .       .         .       .      ROW     .    ACCOUNT DRAIN IDLE
 *     ROW      .       .       .         .       .      .       BODY .       DRAIN IDLE
 *     DRAIN    .       .       .         .       .      .       .    ACCOUNT .     IDLE
 *
 *   IDLE     Nothing in progress. The connection may be kept for the next call.
 *   ACCOUNT  Waits for a token that another lane is fetching (AVITO_WANT_ACCOUNT), for the
 *            account's rate, or for the pause before a retry (AVITO_WANT_TIMER). Then decides what
 *            goes over the wire: the call, or first a token request. After that, or after a failure
 *            of the lane that was waited for, it comes back here by REPEAT.
 *   CONNECT  A kept connection is used again. Before that the lane looks whether the server has
 *            closed it or said something unasked (always before a POST; before a GET if 10 ms have
 *            passed, or if the last read got all that it had room for). If there is none, or it was
 *            unused for keep_alive_ms, the transport connects, TLS handshake included. Ends in
 *            RESOLVE, CONNECT, TLS_*, CLOSED, OPTION_*, TIMEOUT_CONNECT.
 *   SEND     Pieces of the request, as fast as the transport takes them. An early answer is looked
 *            for between the pieces of a request that is larger than the window, and when sending
 *            fails. Ends in SEND, SOURCE, TIMEOUT_IDLE.
 *   HEAD     The request has left: if a write fails from here on, its outcome is "cannot tell". 1xx
 *            answers are skipped. Ends in CLOSED, RECV, HTTP*, TIMEOUT_IDLE.
 *   BODY     Into the arena, or, for refusals, tokens and confirmations, into the tail of the
 *            window. A refused token, the next page, or a retry leads back to ACCOUNT by REPEAT.
 *            Ends in every -4xx and -5xx, ARENA, TOKEN_ROOM, HOOK.
 *   ROW      List: an element is yours. Nothing runs, not even a deadline; but the server may lose
 *            patience.
 *   DRAIN    List: avito_list_end() reads the rest, up to drain_max, or the lane closes the
 *            connection. A refresh of the token is not cut off: that goes on to its end.
 *
 * Who moves it: whoever calls. avito_step() runs until something has to be waited for; it returns
 * AVITO_AGAIN or, once, the result. avito_wants() says what to wait for: AVITO_WANT_READ,
 * AVITO_WANT_WRITE (ask after every step: TLS may want to read in order to write), AVITO_WANT_TIMER
 * (only the deadline), AVITO_WANT_ACCOUNT (step this lane again after stepping the others).
 * avito_deadline_ms() says by when to step in any case. A step that has done very much work returns
 * AVITO_AGAIN with a deadline of 0, so that other lanes get their turn. Stepping too often or for
 * nothing is harmless.
 *
 * Deadlines are the lane's, counted by the account's clock_ms, which may wrap:
 *
 *     connect_timeout_ms   15 s   from the choice of the request to the end of the TLS handshake
 *     idle_timeout_ms      30 s   since the last byte that moved on the wire, either way
 *     total_timeout_ms    120 s   one call, its retries and pages; of a list: each avito_next_*()
 *
 * The clock is looked at before each step, and a step takes in at most 64 windows of bytes: a call
 * may outlast its time by two steps.
 *
 * Progress is bytes on the wire, also those that no call sees: parts of a TLS record, and what the
 * socket still holds of an upload (where the system tells: Linux, macOS). To learn of them, the
 * lane asks the transport's moved() eight times in the idle time; so TIMEOUT_IDLE comes up to an
 * eighth late. By default a first call needs a line of 170 bytes a second: a handshake of 2.4 KB
 * takes all of its 15 s there. Certificates of twice the size need twice the speed, or a larger
 * connect_timeout_ms (tests/tls/slow_test.c). After the handshake any line works that moves a byte
 * every 26 s, until total_timeout_ms.
 *
 * An error closes the connection. Exceptions are a refusal of the service (-5xx) whose answer was
 * read to its end, and an error of a single element. avito_cancel() always closes it. That is legal
 * in every state, ends in CANCELLED, and leaves the lane usable. close() of the transport is called
 * once per connect(), whatever happens.
 *
 * ======================================================================= *
 * >>5 MEMORY
 * ======================================================================= *
 *
 * The window during a call:
 *
 *     request          [ the next piece, as large as fits                 | early answer: 64 ]
 *     head, small body [ bytes received, not yet read       | decoded: 448                    ]
 *     model            [ kept until it proves to be a model  | bytes received, not yet read   ]
 *
 * (A request that fits the window whole uses all of it and is not interrupted.) Nothing in the
 * window outlives the call. More than 512 bytes means fewer and larger reads and nothing else.
 *
 * The arena while an object streams in:
 *
 *     base       used                                                        base + cap
 *     | yours,   | objects and their strings >         ...       < the answer's own struct,   |
 *     | from     |                                                 elements of open lists     |
 *     | before   | low end, grows up                        high end, grows down              |
 *
 * What is decoded stays between `used` and the low end; at the end of the call `used` moves up past
 * it. A call that fails leaves `used` as it was. In a list each element begins again at the
 * same place: it is gone when you ask for the next one. When both ends meet, the machine goes on
 * without storing, and counts. So with the error ARENA, error.needed is the size of an arena that
 * would have done. (For that a list read whole goes on to its last page.) `arena.peak` is the most
 * ever used.
 *
 *     buffer            given in   used until                size                        too small
 *     ----------------  ---------  ------------------------  --------------------------  ----------
 *     window            client     the call ends             AVITO_WINDOW_MIN or more    OPTION_...
 *     tokens            account    the account's end         AVITO_TOKENS_SIZE(longest)  TOKEN_ROOM
 *     arena             each call  you need no result of it  below                       ARENA
 *     avito_tls_arena() each call  the next connect          3 KB                        BUSY
 *     error_body        client     the next call             any                         it is cut
 *     TLS .buffer       tls        close                     AVITO_TLS_BUFFER_HALF(f)    TLS_ROOM
 *                                                            or AVITO_TLS_BUFFER_FULL
 *     TLS .read_ahead   tls        close                     optional; 1 KB is good      is slower
 *     anchors' memory   anchors    no TLS uses them          anchors.needed              ROOM
 *     webhook .buffer   webhook    avito_webhook_done()      AVITO_WEBHOOK_SIZE(body)    ROOM; 413
 *     inbox .state      inbox      the inbox's end           AVITO_INBOX_STATE_SIZE(n)   OVERRUN
 *     URL               the call   you need it               *out_len, after ROOM        ROOM
 *     raw JSON's tokens the call   you need its values       AVITO_JSON_TOKENS_SIZE(n)   ROOM
 *
 * None of them may overlap another while in use. Strings that you pass in may lie in an arena, also
 * in the one that the call fills. error_body is the one buffer that may be too small without an
 * error: it is for your log.
 *
 * How large an arena? What an element leaves behind, the items of its open lists once more, and the
 * struct that you get. Written out:
 *
 *     each string that you asked for       bytes of UTF-8 + 1
 *     each object inside the element       sizeof its struct + 7; the element is yours
 *     content of a message, of a quote     8 pointers and strings: 80 bytes (32-bit: 40) each
 *     items of the lists that are open     sizeof the item x count, once more
 *     the struct that you get              sizeof, once, while it is read; of a list: 24 bytes more
 *     the sum                              rounded up to 8
 *     .all_pages                           248 bytes for the whole list
 *
 * A list read whole takes that for its largest element, and the sum of what all elements leave
 * behind, with their structs twice. Nothing else counts: not the length of the list, of the answer,
 * or of what is dropped. All sizes in bytes by `make sizes`, for 64-bit and for 32-bit code with
 * int64_t aligned to 8; "arena" is the smallest that worked, with a window of 512 bytes:
 *
 *     bytes of                                                  64-bit 32-bit
 *     avito_account                                                224    136
 *     avito_client                                                1008    704
 *     avito_arena                                                   40     20
 *     avito_webhook                                                184    144
 *     avito_inbox                                                  360    320
 *     avito_json                                                    32     16
 *     avito_tcp                                                    184    160
 *     avito_tls                                                   7480   6952
 *     avito_tls_session                                            112    112
 *     avito_anchors                                               1984   1844
 *     avito_image_file                                             160    128
 *     avito_store                                                22816  22800
 *     avito_posix                                               377112 375872
 *     a recorded chat, bytes on the wire                          2390   2390
 *     get_chat(), recorded chat, everything                       2848   2344
 *     of that, in use afterwards                                  2784   2304
 *     the same by the formula                                     3120   2488
 *     next_chat(), recorded chat, everything                      2872   2352
 *     next_chat(), recorded chat, without avatars                 1464   1168
 *     next_chat(), last message without content                    392    272
 *     the largest legal message, element by element               8640   8408
 *     the same by the formula                                     8640   8416
 *     the same with AVITO_MESSAGE_BARE                             296    200
 *     send_message(), answer of that size kept                    4376   4248
 *     parse_webhook(), that message                               9352   8888
 *
 * ======================================================================= *
 * >>6 YOUR OWN TRANSPORT
 * ======================================================================= *
 *
 * Five functions, three optional ones, and a context:
 *
 *     function     when                     returns                              never
 *     -----------  -----------------------  -----------------------------------  -----------------
 *     connect(to)  to open; again after     OK | AGAIN | error                   waits
 *                  AGAIN, with the same to
 *     send(p, n,   while connected          > 0: taken | AVITO_IO_AGAIN | error  waits
 *          more)
 *     recv(p, cap) while connected, also    > 0: put | AVITO_IO_AGAIN | error |  waits; returns 0
 *                  in the middle of a       AVITO_IO_CLOSED at an orderly end    for the end
 *                  request; cap 1 only to
 *                  look whether it is over
 *     wants()      while a call runs        what the last calls could not do:    has an effect;
 *                                           AVITO_WANT_WRITE from a send() that  asks the hardware
 *                                           said AGAIN until one moves bytes;
 *                                           AVITO_WANT_READ; AVITO_WANT_TIMER
 *                                           until connect() says OK, where no
 *                                           byte will tell: ask again soon
 *     wait(w, ms)  optional; w may be 0:    OK | AGAIN: time over | error        outlasts ms
 *                  only let the time pass
 *     close()      once per connect begun,  nothing                              waits, fails
 *                  also after its failure
 *     detail()     optional; after errors   your own number, for error.detail
 *     moved()      optional; while bytes    a number that changes when bytes    has an effect
 *                  are waited for           move on the wire, either way
 *
 * Errors are -301 to -316, TLS_ROOM or OPTION_* of this file. Any other negative number, such as a
 * raw errno, becomes CONNECT, SEND or RECV, with the number in error.detail if detail() has none.
 * `to` and its members are good during the call; the host name as long as the account. A transport
 * hands over all it holds before it says AVITO_IO_AGAIN: after that the lane waits for the wire. A
 * recv() that gave less than there was room for may still hold some bytes, as at the end of a
 * record. Then wants() shows AVITO_WANT_WRITE until the next recv(), and the lane looks for stray
 * bytes before its next request. `more` means that another piece follows at once: a transport of
 * records or packets may hold back an unfinished one until then. Deadlines are the lane's: a
 * transport has none of its own. After a send() that failed, the lane calls recv() for up to
 * .idle_timeout_ms: on a dead line recv() has to fail, too.
 *
 * A serial line, whole. The two functions at the top are your driver's: they do not wait, and
 * return how many bytes they moved. The other end must learn of connect and close, too: by DTR, AT
 * commands, framing::
 *
 *     size_t uart_read(void *to, size_t cap);
 *     size_t uart_write(const void *from, size_t len);
 *
 *     static bool line_full; // the last send() could not leave
 *
 *     static int line_connect(void *ctx, const avito_server *to)
 *     {
 *         char old[16];
 *
 *         (void)ctx;
 *         (void)to; // a modem would dial, and say AVITO_AGAIN meanwhile
 *         line_full = false;
 *         while (uart_read(old, sizeof old) > 0) { // of the connection before
 *         }
 *         return AVITO_OK;
 *     }
 *
 *     static long line_send(void *ctx, const void *data, size_t len, int more)
 *     {
 *         const size_t n = uart_write(data, len);
 *
 *         (void)ctx;
 *         (void)more;
 *         line_full = n == 0;
 *         return n > 0 ? (long)n : AVITO_IO_AGAIN;
 *     }
 *
 *     static long line_recv(void *ctx, void *data, size_t cap)
 *     {
 *         const size_t n = uart_read(data, cap);
 *
 *         (void)ctx;
 *         return n > 0 ? (long)n : AVITO_IO_AGAIN; // no hang-up: timeouts end it
 *     }
 *
 *     static int line_wants(void *ctx)
 *     {
 *         (void)ctx;
 *         return AVITO_WANT_READ | (line_full ? AVITO_WANT_WRITE : 0);
 *     }
 *
 *     static void line_close(void *ctx)
 *     {
 *         (void)ctx;
 *     }
 *
 *     static const avito_transport_functions line = {
 *         line_connect, line_send, line_recv, line_wants, NULL, line_close, NULL, NULL};
 *
 * It goes below TLS: avito_tls_options.transport. For the stacks that others use, and how to test a
 * transport: >>47.
 *
 * ======================================================================= *
 * >>7 WHEN IT FAILS
 * ======================================================================= *
 *
 * Every function that can fail returns int. Three results are normal: AVITO_OK, AVITO_AGAIN,
 * AVITO_END. A negative result is an error, and its hundreds tell whose it is:
 *
 *     -1xx  yours: arguments, options, hooks. Mend the program. The call sent nothing, unless it is
 *           CANCELLED or SOURCE.
 *     -2xx  memory: the name says which; error.needed is a size that will do, where it is known
 *     -3xx  the way there: network, TLS. Most pass by themselves; a bad certificate needs a person.
 *     -4xx  the peer broke HTTP, JSON or the known models: never data
 *     -5xx  the service refused; the status says why
 *
 * avito_last_error() describes the lane's last call, also a good one: HTTP status, API code, the
 * server's text (clipped at a code point, control characters made blanks, token and secret masked
 * with *), the wait that it asked for, the backend's own number. It is overwritten by the next
 * call. What the server says in an error body is looked for in nine shapes: error.message, error as
 * text, error_description, result.error, result.message, result.messages[0], errors[0], message,
 * and the beginning of what is not JSON (description, and live use). What looks like the answer to
 * a token request is never quoted, whatever its status.
 *
 * Every answer is judged in the same order, whatever its status and the call. With a success
 * status, an answer that holds what the call needs is a success: the id of a message, chat or
 * account, the list of a list call (null is an empty one; of subscriptions also {"ok":true}).
 * Otherwise, an answer in one of these shapes is a refusal: the error of the status, or REFUSED.
 * Any other answer is MODEL, never an empty success. Calls that only confirm take any answer that
 * is not a refusal. (With a success status, a refusal is recognised if its body fits the window,
 * less 64 bytes; a longer one is MODEL.)
 *
 * A call that changes something (send, upload, mark, delete, subscribe, unsubscribe, blacklist)
 * also has an outcome in error.outcome:
 *
 *   AVITO_NOT_SENT     the transport never took the request's last byte, or the answer is 400, 401,
 *                      402, 403, 404, 413 or 429, which precede storing (assumption, by their
 *                      meaning). Safe to try again.
 *   AVITO_SENT         success; also ARENA, after a 2xx whose answer did not fit your arena: do not
 *                      send again
 *   AVITO_CANNOT_TELL  everything else: no answer, a cut or broken one, 409, 5xx, a success status
 *                      whose body says no (the status alone decides). avito_confirm_sent() finds
 *                      out for messages, and avito_confirm_sends() does so at once (>>52).
 *
 * Errors of elements. In a list that is read element by element, ARENA, MODEL and DUPLICATE are
 * about one element: its id, or the field at fault, is in error.text, the next call gives the next
 * element, and avito_list_open() stays true. Any other error ends the list. A list of chats or
 * messages that is read whole leaves out rows that are MODEL or DUPLICATE: `skipped` counts them,
 * `lacked` names what the first one lacked or broke. If no row is good, the call fails with it.
 *
 * All errors, as AVITO_ERRORS (>>12) has them; what to do about each is in avito_error_remedy().
 * "From": init, the function that takes the options; args, any call, before a byte is sent; call,
 * any call once it runs; parse, also avito_parse_webhook(), and what begins with JSON also
 * avito_json_parse(); whook, also avito_webhook_receive(); else the functions of that name.
 *
 *     code name               from        what happened
 *     -101 ARGUMENT           args        argument is missing or out of range
 *     -102 TEXT               send        text is blank or over 1000 code points
 *     -103 UTF8               send        text is not UTF-8 or holds a NUL
 *     -104 ID                 args        id is empty, '.', '..', too long or has a forbidden byte
 *     -105 BUSY               args, call  lane or arena serves another call or list
 *     -106 IDLE               step, next  no call of this kind is in progress
 *     -107 CANCELLED          cancel      call was cancelled
 *     -108 SOURCE             upload      upload source failed or ended early
 *     -109 HOOK               your hooks  one of your hooks returned an error
 *     -110 FILE               files       file or folder cannot be read or written
 *     -151 OPTION_CREDENTIALS init        client_id or client_secret is missing or not visible
 *                                         ASCII
 *     -152 OPTION_TOKENS      init        tokens is missing or under AVITO_TOKENS_SIZE()
 *     -153 OPTION_HOST        init, call  host is not a bare name; NULL is api.avito.ru
 *     -154 OPTION_CLOCK       init        clock_ms is missing
 *     -155 OPTION_ENTROPY     init, call  entropy is missing, or it failed: error.detail
 *     -156 OPTION_TIME        init, call  unix_time is missing or before 2020
 *     -157 OPTION_TRANSPORT   init        transport is missing or lacks a function
 *     -158 OPTION_WINDOW      init        window is missing or under 512 bytes
 *     -159 OPTION_ANCHORS     init        no trust anchors, or no readable PEM file with some
 *     -160 OPTION_RESOLVE     init, call  lane that may not wait needs a numeric host or resolve
 *     -161 OPTION_TOKEN_STORE init        avito_enable_token_store() is missing
 *     -162 OPTION_DIAGNOSTICS init        avito_enable_diagnostics() is missing
 *     -163 OPTION_LANES       init, args  avito_enable_lanes() is missing
 *     -164 OPTION_RETRIES     init        avito_enable_retries() is missing
 *     -165 OPTION_DRY_RUN     init, args  avito_enable_dry_run() is missing
 *     -166 OPTION_STATE       inbox init  stored inbox state is another account's
 *     -167 OPTION_RAW         args        avito_enable_raw() is missing
 *     -168 OPTION_CHATS       inbox init  avito_enable_inbox_records() is missing
 *     -169 OPTION_HEADERS     lines       header line is malformed, or one of ours
 *     -170 OPTION_SENT        args        avito_enable_sent() is missing
 *     -171 OPTION_PAGES       args        avito_enable_pages() is missing
 *     -201 ARENA              call, parse arena is too small for an answer or element
 *     -202 TOKEN_ROOM         call        token does not fit the account's tokens
 *     -203 ROOM               any buffer  output buffer is too small
 *     -204 TLS_ROOM           init, call  TLS record or anchor is larger than its buffer
 *     -301 RESOLVE            call        no address for the host name
 *     -302 CONNECT            call        no address accepted a connection
 *     -303 SEND               call        connection broke while sending
 *     -304 RECV               call        connection broke while receiving
 *     -305 CLOSED             call        server closed before its answer ended
 *     -306 TIMEOUT_CONNECT    call        no connection within connect_timeout_ms
 *     -307 TIMEOUT_IDLE       call, whook no byte moved for idle_timeout_ms
 *     -308 TIMEOUT_TOTAL      call, whook call took over total_timeout_ms
 *     -311 TLS                call        TLS handshake or a record failed: error.detail
 *     -312 TLS_TRUST          call        certificates lead to no trust anchor
 *     -313 TLS_NAME           call        certificate is for another name
 *     -314 TLS_TIME           call        certificate is expired or not valid yet by our clock
 *     -315 TLS_CERT           call        certificate breaks a rule of this client
 *     -316 TLS_STALL          call        TLS peer keeps us busy without progress
 *     -401 HTTP               call, whook answer is not HTTP/1.1
 *     -402 HTTP_LENGTH        call, whook answer's length is malformed or contradictory
 *     -403 HTTP_CHUNK         call, whook chunk of the answer is malformed
 *     -404 HTTP_HEAD          call, whook answer's head is over 64 KB
 *     -411 JSON               call, parse answer is not valid JSON
 *     -412 JSON_UTF8          call, parse answer is not UTF-8
 *     -413 JSON_DEPTH         call, parse answer is nested deeper than 32 levels
 *     -414 MODEL              call, parse field (error.text) has another type than known
 *     -415 DUPLICATE          call, parse known key stands twice in one object
 *     -416 EMPTY              call, parse answer has no body
 *     -501 REDIRECT           call        redirect, which is never followed
 *     -502 BAD_REQUEST        call        400: request was not accepted
 *     -503 UNAUTHORIZED       call        401: token was refused, also after renewal
 *     -504 PAYMENT            call        402: tariff lacks the Messenger API
 *     -505 FORBIDDEN          call        403: no permission, also after renewal
 *     -506 NOT_FOUND          call        404: no such chat, message, user or path
 *     -507 CONFLICT           call        409: server sees a conflict
 *     -508 TOO_LARGE          call        413: upload is too large
 *     -509 RATE               call        429: too many requests
 *     -510 SERVER             call        5xx: server failed
 *     -511 STATUS             call        unexpected status
 *     -512 REFUSED            call        success status, but the body says no
 *     -513 CREDENTIALS        call        token request was refused
 *     -514 REFRESH_TOKEN      call        refresh token was refused or may be spent
 *
 * ======================================================================= *
 * >>8 TOKENS
 * ======================================================================= *
 *
 * A token is fetched when a call needs one: by the refresh token if the account has one, else by
 * the client credentials. It is renewed ahead of its end (.renew_before_s, 300, but not in the
 * first half of its life), and once per call when the service refuses it: 401, "token" and
 * "expired" in the text of any status, or 403 whose text does not speak of permission. (An expired
 * token gives 403 by the official guide and in live use; permission is also 403.) A second refusal
 * is your result. A write is made again only where the status proves that nothing was stored.
 *
 * What no token can cure, such as a chat that is not yours, must not fetch a token per call:
 *
 *   * In its first minute a token is not renewed unless a call was accepted with it.
 *   * Renewals are a minute apart; after each that did not help, twice as long, up to 64 minutes.
 *   * While other calls are accepted between its refusals, a 403 renews once and no more.
 *
 * 401 and "expired" are counted apart from 403. They may have five renewals at once, and one more
 * each minute while renewals help. So a revoked token is noticed at once, however many chats are
 * not yours.
 *
 * One request for a token is in flight per account. The first lane that needs a token fetches it on
 * its own connection before its call; the others want AVITO_WANT_ACCOUNT. When that lane fails, is
 * cancelled or closed, the next one takes over; a definite refusal of the credentials is the result
 * of all that waited for it. Tokens are counted: a call that is refused with an older one is just
 * retried with the newer. Whether a second token ends the first is not known, so one account per
 * set of credentials is the way to be safe: share it between lanes.
 *
 * Refresh tokens, how tokens are stored, rate and retries: >>49.
 *
 * The unpaid tariff. Without the tariff that has the API (description), message texts are replaced
 * by one Russian sentence (seen by many), and other calls answer 402 (seen). avito_account_unpaid()
 * says which was seen last; such messages have is_placeholder: do not answer them.
 *
 * ======================================================================= *
 * >>9 THE API, CALL BY CALL
 * ======================================================================= *
 *
 * Base https://api.avito.ru, Authorization: Bearer on all but /token. Paths are the description's
 * to the last slash: a redirect could turn POST into GET, so none is followed. "d": official
 * description (OpenAPI, of the month in AVITO_API_DESCRIPTION_DATE), "s": seen in public live use
 * or recordings, "a": our assumption. First lines are the code's table (>>31), compared by `make
 * manual-check`.
 *
 *     get_token POST /token
 *         a token (d,s); form body with grant_type=client_credentials, no scope needed (s)
 *     exchange_code POST /token
 *         a token pair (d); for applications that the service has approved (d)
 *     refresh_token POST /token
 *         a new pair; both tokens change (d)
 *     get_self GET /core/v1/accounts/self
 *         avito_self (d)
 *     get_chats GET /messenger/v2/accounts/{user_id}/chats
 *         avito_chats, or avito_list_chats(): {"chats","meta"} (d,s); item_ids and chat_types as
 *         comma lists (d,s); .repeat_item_ids repeats the name instead (OpenAPI's default)
 *     get_chat GET /messenger/v2/accounts/{user_id}/chats/{chat_id}
 *         avito_chat (d,s)
 *     get_messages GET /messenger/v3/accounts/{user_id}/chats/{chat_id}/messages/
 *         avito_messages, or avito_list_messages(): a bare array (d) or {"messages","meta"} (s):
 *         both are read. A slash at its end (d). Does not mark as read (d).
 *     send_message POST /messenger/v1/accounts/{user_id}/chats/{chat_id}/messages
 *         the message, without its author (d); only text can be sent this way (d)
 *     upload_image POST /messenger/v1/accounts/{user_id}/uploadImages
 *         {image_id: sizes} (d): avito_uploaded_image; part uploadfile[] with a file name
 *         (d; clients that work give one, s); with a length instead of chunks (a)
 *     send_image_message POST /messenger/v1/accounts/{user_id}/chats/{chat_id}/messages/image
 *         the message (d); one image each
 *     delete_message POST /messenger/v1/accounts/{user_id}/chats/{chat_id}/messages/{message_id}
 *         {} (d); within one hour; the row stays, with type deleted (d). POST, not DELETE (d)
 *     mark_chat_as_read POST /messenger/v1/accounts/{user_id}/chats/{chat_id}/read
 *         {"ok":true} (d), or nothing (s)
 *     get_voice_files GET /messenger/v1/accounts/{user_id}/getVoiceFiles
 *         avito_voice_files, or avito_list_voice_files(): voice_ids repeated (s); opus in mp4,
 *         each URL is good for an hour (d)
 *     subscribe_webhook POST /messenger/v3/webhook
 *         {"ok":true} (d); the newest format of notifications, version 3 (d)
 *     unsubscribe_webhook POST /messenger/v1/webhook/unsubscribe
 *         {"ok":true} (d)
 *     get_webhook_subscriptions POST /messenger/v1/subscriptions
 *         avito_subscriptions, or avito_list_subscriptions(): a POST without body (d)
 *     add_to_blacklist POST /messenger/v2/accounts/{user_id}/blacklist
 *         nothing declared (d): any 2xx whose body does not refuse; no call takes it back (d)
 *
 * Facts that differ from the description, or that it leaves open:
 *
 *   * item ids exceed 2^32 (s), though it says int32: all ids are int64_t. Ids and numbers may come
 *     as strings (a). It warns that users[].id may be a hash (d): that counts as missing.
 *   * Lists carry meta.has_more (s). Without it a short page ends the list (a). limit 1..100,
 *     offset 0..1000 (d), so about 1100 rows are reachable.
 *   * Messages come newest first (s), chats most recently updated first (every client relies on it;
 *     a). A chat row does not say whether it is unread: ask with unread_only, or look at is_read of
 *     its messages.
 *   * With unread_only a chat leaves the list when it is marked as read: begin at offset 0 again,
 *     do not page on.
 *   * A success without a body is fine where the call has no model to give (s), and so are null and
 *     [] there (a). null in place of a list or object is an empty one (a). Fields may be missing
 *     (s), except those that show that the answer is what was asked for (>>7). Unknown members are
 *     dropped (or kept as JSON: AVITO_RAW), unknown words of enums kept (a).
 *   * A message is sent into a chat that exists: there is no call that opens one (d).
 *   * Texts have at most 1000 characters (d); which kind is not said. Here: code points. Text
 *     beyond U+FFFF may be refused earlier by a service that counts UTF-16 units.
 *   * There is no idempotency key: that is why >>52 exists.
 *
 * ======================================================================= *
 * >>10 THREADS, SECURITY, POLICIES, VERSIONS
 * ======================================================================= *
 *
 * Threads. One thread per lane at a time. Lanes of one account on several threads need .lock and
 * .unlock; they are held for moments, around clock_ms, unix_time and load_token, never around
 * waiting: these hooks must not call this library. (A lane reads the bytes of its token outside the
 * lock. If the token is replaced twice while its request is being sent, it may leave mangled: then
 * it is refused, and the call is retried with the new one.) An inbox, a webhook, an arena,
 * avito_tcp, avito_tls: one thread each. Nothing is callable from an interrupt or a signal handler.
 * After fork() the child begins with init; sockets are not shared.
 *
 * A careless call is refused, in every build. ARGUMENT: NULL for what is not optional; an object of
 * any type that is zeroed, or whose init failed. BUSY: a call on a lane from inside one of its own
 * hooks (avito_cancel() and avito_client_close() are noted, and done when the hook has returned).
 * A function that returns no error says false, 0, NULL, -1 or UINT32_MAX, or does nothing. What
 * nothing can notice: memory that was never zeroed, init on an object in use, and a hook that calls
 * again the function that calls it, as wants() would with avito_wants().
 *
 * Security model. Trusted: you, your memory, hooks, anchors, clock, entropy, transports' honesty
 * about lengths. Not trusted: every byte from the network, also of the real service; texts and
 * names are strangers'. What holds for any bytes:
 *
 *   * no access outside the memory given, no recursion, stack bounded (`make stack`), nesting at
 *     most 32;
 *   * a head at most 64 KB, framing at most 64 KB more than the body, chunk sizes at most 15
 *     digits;
 *   * no wait without a deadline, and no answer outlasts total_timeout_ms, however steadily it
 *     comes;
 *   * the same bytes give the same result, however they are split;
 *   * the token goes to the configured host over the configured transport, and nowhere else:
 *     redirects are errors. It, the refresh token and the client secret appear in no error and no
 *     trace, not even when the server echoes them;
 *   * ids are one path segment, percent-encoded, and no '.', '..', '/', blank or control byte;
 *     texts are JSON strings; only avito_set_headers() can add a header; nothing can add a request;
 *   * two lengths, a length and chunks, a bare CR or LF, folded lines, an unfinished body: errors,
 *     and the connection is not used again.
 *
 * Not promised: that texts are harmless in a terminal, in HTML or SQL (escape them there), or that
 * their lengths are secret on the wire. Secrets stay in memory until you overwrite it: nothing here
 * wipes. Without TLS everything is readable.
 *
 * Policies. A lone surrogate escape in JSON becomes U+FFFD, once per half. Text that is not UTF-8
 * as bytes is JSON_UTF8. A known key twice in one object is DUPLICATE; an unknown one may repeat.
 * An escaped NUL is kept: that is why avito_str has a length. What decides (ids, times, states) has
 * to have its type, else MODEL: a whole number may come as text, as 17.0 or as 1e3, but not beyond
 * int64_t. What is only shown to a person (names, titles, pictures, places: AVITOI_SCHEMA_SHOWN)
 * counts as missing if it has another type, and a number is taken for a text. [] counts as null
 * where an object belongs. The type of a chat's context decides what its value is: another type's
 * is skipped. Coordinates are rounded half away from zero to 1e-7 degree. Bytes after the JSON are
 * the error JSON. Text to send must be UTF-8, 1 to 1000 code points, not only blanks. Enum words
 * match exactly. HTTP/1.0 answers are taken; 1xx answers are skipped.
 *
 * Limits, beside those above: ids 255 bytes; error text 95 bytes; an upload 24 MB (d); with
 * .all_pages, pages overlap by 4 rows and the last 30 ids are known (one that slid farther may come
 * twice or be missed); 4 addresses tried per connect; 8 certificates in a chain; 32-bit lengths
 * within an arena; answers, and their chunks, of SIZE_MAX bytes.
 *
 * Versions. MAJOR.MINOR.PATCH in AVITO_VERSION. Until 1.0 a minor version may change the interface.
 * From then on, within one major version, programs that use the public names go on compiling;
 * struct sizes may change with any version, since you compile the header yourself. Zeroed options
 * stay good: new members will mean the old behaviour when zero. Members called priv, and names with
 * avitoi_, are not for you. AVITO_API_DESCRIPTION_DATE says which description was followed.
 */
#ifndef AVITO_MESSENGER_H
#define AVITO_MESSENGER_H

/* ======================================================================= *
 * >>11 VERSION AND COMPILER
 * ======================================================================= */

#if defined(__SIZEOF_INT__) && __SIZEOF_INT__ < 4
#error "avito_messenger.h needs an int of 32 bits: AVR and other 16-bit processors are too small"
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AVITO_VERSION_MAJOR 0
#define AVITO_VERSION_MINOR 2
#define AVITO_VERSION_PATCH 0
#define AVITO_VERSION "0.2.0"

/* The vendor's API description that this version was written against. */
#define AVITO_API_DESCRIPTION_DATE "2026-10" /* its operations: the same since 2025-11 */

#ifndef AVITO_WITH_POSIX
#define AVITO_WITH_POSIX 0
#endif
#ifndef AVITO_WITH_BEARSSL
#define AVITO_WITH_BEARSSL 0
#endif
#ifndef AVITO_STATIC
#define AVITO_STATIC 0
#endif
#ifndef AVITO_WITH_FILES
#if AVITO_WITH_POSIX && (defined(__unix__) || defined(__APPLE__) || defined(__HAIKU__))
#define AVITO_WITH_FILES 1
#else
#define AVITO_WITH_FILES 0
#endif
#endif

/* `static inline` keeps gcc and clang from warning about calls that are not used. */
#if AVITO_STATIC
#define AVITO_API static inline
#else
#define AVITO_API extern
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ======================================================================= *
 * >>12 RESULTS AND ERRORS
 * ======================================================================= *
 *
 * Every function that can fail returns int: a normal result, >= 0, or an error, < 0 (>>7).
 */

#define AVITO_OK    0 /* done */
#define AVITO_AGAIN 1 /* not finished: wait for avito_wants(), then avito_step() */
#define AVITO_END   2 /* avito_next_*(): the list is over */

/* X(name, value, what happened, what to do; "": as above). The only list of errors: the enum,
 * avito_error_name(), _text() and _remedy() and the manual's table come from it. */
#define AVITO_ERRORS(X)                                                                            \
    X(ARGUMENT, -101, "argument is missing or out of range", "see the function's comment")         \
    X(TEXT, -102, "text is blank or over 1000 code points", "mend the text, or split it")          \
    X(UTF8, -103, "text is not UTF-8 or holds a NUL", "")                                          \
    X(ID, -104, "id is empty, '.', '..', too long or has a forbidden byte", "pass it as received") \
    X(BUSY, -105, "lane or arena serves another call or list", "end that first, or use another")   \
    X(IDLE, -106, "no call of this kind is in progress", "start a call first")                     \
    X(CANCELLED, -107, "call was cancelled", "start it again if it is still wanted")               \
    X(SOURCE, -108, "upload source failed or ended early", "give as many bytes as announced")      \
    X(HOOK, -109, "one of your hooks returned an error", "see error.detail for its result")        \
    X(FILE, -110, "file or folder cannot be read or written",                                      \
      "see its path, its rights and the disk")                                                     \
    X(OPTION_CREDENTIALS, -151, "client_id or client_secret is missing or not visible ASCII",      \
      "correct this option")                                                                       \
    X(OPTION_TOKENS, -152, "tokens is missing or under AVITO_TOKENS_SIZE()", "")                   \
    X(OPTION_HOST, -153, "host is not a bare name; NULL is api.avito.ru", "")                      \
    X(OPTION_CLOCK, -154, "clock_ms is missing", "")                                               \
    X(OPTION_ENTROPY, -155, "entropy is missing, or it failed: error.detail", "")                  \
    X(OPTION_TIME, -156, "unix_time is missing or before 2020", "")                                \
    X(OPTION_TRANSPORT, -157, "transport is missing or lacks a function", "")                      \
    X(OPTION_WINDOW, -158, "window is missing or under 512 bytes", "")                             \
    X(OPTION_ANCHORS, -159, "no trust anchors, or no readable PEM file with some", "")             \
    X(OPTION_RESOLVE, -160, "lane that may not wait needs a numeric host or resolve", "")          \
    X(OPTION_TOKEN_STORE, -161, "avito_enable_token_store() is missing",                           \
      "call it on the options before init (AVITO_TINY)")                                           \
    X(OPTION_DIAGNOSTICS, -162, "avito_enable_diagnostics() is missing", "")                       \
    X(OPTION_LANES, -163, "avito_enable_lanes() is missing", "")                                   \
    X(OPTION_RETRIES, -164, "avito_enable_retries() is missing", "")                               \
    X(OPTION_DRY_RUN, -165, "avito_enable_dry_run() is missing", "")                               \
    X(OPTION_STATE, -166, "stored inbox state is another account's",                               \
      "give each account storage of its own")                                                      \
    X(OPTION_RAW, -167, "avito_enable_raw() is missing",                                           \
      "call it on the options before init (AVITO_TINY)")                                           \
    X(OPTION_CHATS, -168, "avito_enable_inbox_records() is missing", "")                           \
    X(OPTION_HEADERS, -169, "header line is malformed, or one of ours",                            \
      "write it as Name: value; avito_set_headers() says which")                                   \
    X(OPTION_SENT, -170, "avito_enable_sent() is missing",                                         \
      "call it on the options before init (AVITO_TINY)")                                           \
    X(OPTION_PAGES, -171, "avito_enable_pages() is missing", "")                                   \
    X(ARENA, -201, "arena is too small for an answer or element",                                  \
      "give error.needed bytes, or ask for less by .want; a send: see error.outcome")              \
    X(TOKEN_ROOM, -202, "token does not fit the account's tokens",                                 \
      "give AVITO_TOKENS_SIZE(error.needed) bytes")                                                \
    X(ROOM, -203, "output buffer is too small", "give error.needed bytes")                         \
    X(TLS_ROOM, -204, "TLS record or anchor is larger than its buffer",                            \
      "give a larger one: many servers send 16 KB records")                                        \
    X(RESOLVE, -301, "no address for the host name", "check network, DNS and firewall")            \
    X(CONNECT, -302, "no address accepted a connection", "")                                       \
    X(SEND, -303, "connection broke while sending", "see error.outcome before trying again")       \
    X(RECV, -304, "connection broke while receiving", "")                                          \
    X(CLOSED, -305, "server closed before its answer ended", "")                                   \
    X(TIMEOUT_CONNECT, -306, "no connection within connect_timeout_ms", "")                        \
    X(TIMEOUT_IDLE, -307, "no byte moved for idle_timeout_ms", "")                                 \
    X(TIMEOUT_TOTAL, -308, "call took over total_timeout_ms", "")                                  \
    X(TLS, -311, "TLS handshake or a record failed: error.detail",                                 \
      "check that the server speaks TLS 1.2")                                                      \
    X(TLS_TRUST, -312, "certificates lead to no trust anchor",                                     \
      "check roots, host and clock (manual, TLS); somebody may be in between")                     \
    X(TLS_NAME, -313, "certificate is for another name", "")                                       \
    X(TLS_TIME, -314, "certificate is expired or not valid yet by our clock", "")                  \
    X(TLS_CERT, -315, "certificate breaks a rule of this client", "")                              \
    X(TLS_STALL, -316, "TLS peer keeps us busy without progress", "")                              \
    X(HTTP, -401, "answer is not HTTP/1.1", "check host and port; a proxy may interfere")          \
    X(HTTP_LENGTH, -402, "answer's length is malformed or contradictory", "")                      \
    X(HTTP_CHUNK, -403, "chunk of the answer is malformed", "")                                    \
    X(HTTP_HEAD, -404, "answer's head is over 64 KB", "")                                          \
    X(JSON, -411, "answer is not valid JSON",                                                      \
      "try again; report it if it remains: the API may have changed")                              \
    X(JSON_UTF8, -412, "answer is not UTF-8", "")                                                  \
    X(JSON_DEPTH, -413, "answer is nested deeper than 32 levels", "")                              \
    X(MODEL, -414, "field (error.text) has another type than known", "")                           \
    X(DUPLICATE, -415, "known key stands twice in one object", "")                                 \
    X(EMPTY, -416, "answer has no body", "")                                                       \
    X(REDIRECT, -501, "redirect, which is never followed", "check host and port")                  \
    X(BAD_REQUEST, -502, "400: request was not accepted", "see error.text")                        \
    X(UNAUTHORIZED, -503, "401: token was refused, also after renewal", "check the credentials")   \
    X(PAYMENT, -504, "402: tariff lacks the Messenger API",                                        \
      "change the tariff; chats can still be listed")                                              \
    X(FORBIDDEN, -505, "403: no permission, also after renewal",                                   \
      "check ids, scope and whose chat it is")                                                     \
    X(NOT_FOUND, -506, "404: no such chat, message, user or path", "")                             \
    X(CONFLICT, -507, "409: server sees a conflict", "see error.text")                             \
    X(TOO_LARGE, -508, "413: upload is too large", "send at most 24 MB and 75 megapixels")         \
    X(RATE, -509, "429: too many requests", "wait error.retry_after_s, or a minute")               \
    X(SERVER, -510, "5xx: server failed",                                                          \
      "see error.http_status, .text, and .outcome before trying again")                            \
    X(STATUS, -511, "unexpected status", "")                                                       \
    X(REFUSED, -512, "success status, but the body says no", "")                                   \
    X(CREDENTIALS, -513, "token request was refused", "check client_id and client_secret")         \
    X(REFRESH_TOKEN, -514, "refresh token was refused or may be spent",                            \
      "authorize again with avito_authorize_url()")

#define AVITO_ERROR_ENUM_(name, value, text, remedy) AVITO_ERR_##name = (value),
enum avito_error_code { AVITO_ERRORS(AVITO_ERROR_ENUM_) AVITO_ERR_NONE = 0 };
#undef AVITO_ERROR_ENUM_

/* Whether a call that changes something took effect (manual: >>7, >>52). */
typedef enum avito_outcome {
    AVITO_NOT_SENT = 0,   /* it did not: safe to try again */
    AVITO_SENT,           /* it did */
    AVITO_CANNOT_TELL     /* the request left, no usable answer came: avito_confirm_sent() */
} avito_outcome;

#define AVITO_ERROR_TEXT_CAP 96

/* The last error of a lane, also filled on success (code 0, outcome AVITO_SENT). Lives in the
 * client; overwritten by the next call. Never holds a token or the client secret. */
typedef struct avito_error {
    int code;                        /* AVITO_ERR_*, or AVITO_OK */
    int http_status;                 /* 0: no answer came */
    int api_code;                    /* "code" of the error body; 0: none, or none of 32 bits */
    int detail;                      /* the backend's own number (errno, BR_ERR_*); 0: none */
    avito_outcome outcome;           /* of the call that changes something */
    uint32_t retry_after_s;          /* what the server asked for; 0: nothing */
    size_t needed;                   /* -2xx: bytes that will do, wherever they begin; 0: unknown.
                                        TLS_ROOM: of a half duplex buffer */
    char text[AVITO_ERROR_TEXT_CAP]; /* the server's message, or the field, or the id of the element
                                        that was skipped; NUL-terminated UTF-8, clipped */
} avito_error;

/* "ARENA", "arena is too small ...", "give error.needed ...". Never NULL; static. */
AVITO_API const char *avito_error_name(int code);
AVITO_API const char *avito_error_text(int code);
AVITO_API const char *avito_error_remedy(int code);

/* ======================================================================= *
 * >>13 STRINGS AND ARENA
 * ======================================================================= */

/* Decoded text: UTF-8, len bytes, and ptr[len] is NUL. May hold NUL bytes inside. A field that was
 * missing or null has ptr NULL and len 0. Lives as long as the arena that it was decoded into. */
typedef struct avito_str {
    const char *ptr;
    size_t len;
} avito_str;

/* Memory given by the caller, from which models are carved. Nothing is ever freed singly: reset it
 * when you no longer need what is in it. A call that fails leaves it as it was. */
typedef struct avito_arena {
    char *base;
    size_t cap;
    size_t used;      /* bytes taken; 0 after reset */
    size_t peak;      /* the most that was ever in use at once, working space included */
    bool busy;        /* a call is filling it */
    bool lent;        /* by avito_tls_arena(): a connect takes it back */
    uint16_t fills;   /* how many calls have begun to fill it; wraps */
} avito_arena;

/* Over `size` bytes that must outlive it; up to 7 at each end are lost to alignment. */
AVITO_API avito_arena avito_arena_of(void *memory, size_t size);

/* All that was decoded into it is gone. Not while a call is filling it (.busy). */
AVITO_API void avito_arena_reset(avito_arena *arena);

/* True if `s` is the text `word`, byte for byte. */
AVITO_API bool avito_str_equal(avito_str s, const char *word);

/* ======================================================================= *
 * >>14 TRANSPORT
 * ======================================================================= *
 *
 * What moves bytes: a table of functions and a context. What each has to do: >>6.
 */

#define AVITO_IO_AGAIN  (-1L)
#define AVITO_IO_CLOSED (-2L)

/* What a lane waits for, as bits. */
#define AVITO_WANT_READ    1
#define AVITO_WANT_WRITE   2
#define AVITO_WANT_TIMER   4 /* only for avito_deadline_ms() to pass */
#define AVITO_WANT_ACCOUNT 8 /* another lane is fetching the token: step again after that lane moved */

typedef struct avito_server {
    const char *host; /* name or numeric address, NUL-terminated */
    uint16_t port;
} avito_server;

typedef struct avito_transport_functions {
    int (*connect)(void *ctx, const avito_server *to);
    /* `more`: another piece follows at once, so a record may be held back until it is full. */
    long (*send)(void *ctx, const void *data, size_t len, int more);
    long (*recv)(void *ctx, void *data, size_t cap);
    int (*wants)(void *ctx);                        /* what the last calls could not do: >>6 */
    int (*wait)(void *ctx, int wants, uint32_t ms);   /* optional: NULL = may not wait */
    void (*close)(void *ctx);
    int (*detail)(void *ctx);                         /* optional: errno, BR_ERR_* of the last error */
    uint32_t (*moved)(void *ctx); /* optional: bytes on the wire so far, both ways; wraps: >>6 */
} avito_transport_functions;

typedef struct avito_transport {
    const avito_transport_functions *functions;
    void *ctx;
} avito_transport;

/* Private: how far the body of an HTTP message has been read (>>33). */
struct avitoi_body {
    size_t left;       /* bytes still to come: of the body, or of the present chunk */
    uint32_t overhead; /* framing bytes, less one for each body byte since; never below 0 */
    uint16_t line;     /* bytes of the present size line, or of all trailers */
    uint8_t mode;
    uint8_t state;
};

/* ======================================================================= *
 * >>15 ACCOUNT
 * ======================================================================= *
 *
 * One set of credentials, shared by any number of lanes. Everything that the options point to must
 * outlive it. Lanes of one account on several threads need the lock hooks.
 */

struct avito_client;

/* A token pair as the server gave it. Strings point into the account's token buffer and are good
 * until the second renewal after this one. */
typedef struct avito_token {
    avito_str access_token;
    avito_str refresh_token; /* only for the authorization code flow */
    avito_str token_type;    /* "Bearer" */
    avito_str scope;
    int64_t expires_in;      /* seconds from now; 86400 is usual */
    int64_t expires_at;      /* unix seconds; 0 without unix_time */
} avito_token;

typedef struct avito_account_options {
    const char *client_id;
    const char *client_secret;
    void *tokens;              /* AVITO_TOKENS_SIZE(longest token) bytes, kept by the account */
    size_t tokens_cap;
    const char *host;          /* NULL: "api.avito.ru" */
    uint16_t port;             /* 0: 443 */
    void *ctx;                 /* first argument of every hook below */
    uint32_t (*clock_ms)(void *ctx);              /* required; monotonic, may wrap at 2^32 */
    int64_t (*unix_time)(void *ctx);              /* optional; <= 0: not known yet */
    /* AVITO_OK or an error. For uploads, which need it, and for the pause before a retry. */
    int (*entropy)(void *ctx, void *out, size_t len);
    /* Called before a new pair is used; an error ends the call (HOOK), and the next call asks again.
     * The refresh token rotates: write it to disk before returning AVITO_OK. */
    int (*save_token)(void *ctx, const avito_token *token);
    /* Called when the first token is needed; AVITO_END: nothing stored; an error ends the call (HOOK),
     * and the next call asks again. Strings are copied. Also before each renewal: if the token is another
     * one, and its expires_at far enough away, it is used instead, so that programs can share one. */
    int (*load_token)(void *ctx, avito_token *token);
    void (*lock)(void *ctx);                      /* optional, both or none */
    void (*unlock)(void *ctx);
    /* One line of up to 63 bytes per event (request, answer, retry, token, end of a call),
     * NUL-terminated, without secrets and without what was written. */
    void (*trace)(void *ctx, const char *line);
    uint32_t renew_before_s;      /* seconds before expiry, at most half the token's life; 0: 300 */
    uint32_t requests_per_minute; /* 0: no limit of our own */
    struct {                      /* private: what avito_enable_*() has linked */
        const struct avitoi_call_lanes *lanes;
        const struct avitoi_token_store *store;
        const struct avitoi_call_diagnostics *diagnostics;
    } priv;
} avito_account_options;

typedef struct avito_account {
    struct {                         /* private; what is small comes first: short instructions reach it */
        /* Written by any lane, under the lock. */
        bool refresh_in_doubt : 1;   /* a refresh left and no answer came: it may be spent */
        bool unpaid : 1;             /* the tariff lacks the API: 402 or placeholders seen last */
        bool proven : 1;             /* a call with the token of this epoch was accepted */
        bool accepted : 1;           /* a call was accepted since the last refusal */
        uint8_t refusals;            /* definite refusals of token requests so far, modulo 256 */
        /* Of the lane that fetches a token, which also reads without the lock: in a byte of its own. */
        bool by_consent : 1;         /* another person's: never by the client credentials */
        bool loaded : 1;             /* load_token() has answered */
        bool unsaved : 1;            /* save_token() is still to take the token */
        bool half : 1;               /* which half of the token buffer is in use */
        bool refresh_refused : 1;    /* the last refusal was of a refresh token */
        /* Renewals after a refusal: [0] after 401 or "expired", [1] after 403. */
        uint8_t vain[2];             /* 0: there was none; 1: the last one helped; n: n - 1 in a row did not */
        uint8_t burst[2];            /* how many; while they help, each minute takes one off */
        struct avito_client *renewer; /* the lane that is fetching a token, or NULL; where lanes are not
                                         enabled, the only one */
        const struct avitoi_endpoint *renewal; /* what refresh tokens are for; NULL: not linked */
        const char *access;          /* both in the half of the token buffer that is in use */
        const char *refresh;
        uint32_t epoch;              /* counts tokens; 0: none yet */
        uint32_t fetched_ms;         /* clock when the token came */
        uint32_t lifetime_s;         /* 0: the token is not believed to be good */
        uint32_t sentence_by;        /* who seems to have written the last placeholder; 0: no one */
        uint32_t renewed_ms[2];      /* clock of the last one */
    } priv;
    avito_account_options o;         /* resolved: what is really in force */
    struct {                         /* private, too: what only the rate needs */
        uint32_t gate_ms, gate_wait_ms; /* clock of the last request let through; the wait after it */
    } rate;
} avito_account;

AVITO_API avito_account_options avito_account_options_default(void);

/* Parts. With AVITO_TINY 1 a program links what few programs need only if it calls these functions, on the
 * options, before init. An option whose function was not called is an error of init that names it, and is
 * never ignored. Without AVITO_TINY init calls all of them itself: you need not, but may.
 *
 *   token_store   .load_token and .save_token
 *   diagnostics   .trace, and .error_body of its lanes; and what the server says in avito_error.text,
 *                 with secrets masked (else that text is only ever a field of ours, or empty)
 *   lanes         more than one lane, .lock and .unlock, and two copies of the token. Without it a
 *                 lane has the account to itself until avito_client_close(), and needs one copy.
 */
AVITO_API void avito_enable_token_store(avito_account_options *options);
AVITO_API void avito_enable_diagnostics(avito_account_options *options);
AVITO_API void avito_enable_lanes(avito_account_options *options);

/* AVITO_OK, OPTION_CREDENTIALS, _TOKENS, _HOST, _CLOCK, with AVITO_TINY _TOKEN_STORE, _DIAGNOSTICS, _LANES,
 * or ARGUMENT (lock without unlock). Copies the options, not what they point to; nothing to release. */
AVITO_API int avito_account_init(avito_account *account, const avito_account_options *options);

/* Bytes for a token buffer that takes tokens of up to `longest` bytes (Avito's have 40 today). Two
 * halves, so that a lane in the middle of a request keeps the token it began with; each holds an
 * access token, a refresh token, and the words for type and scope. */
#define AVITO_TOKENS_SIZE(longest) (2u * (2u * ((size_t)(longest) + 1u) + 64u))

/* One copy: enough where AVITO_TINY is 1, lanes are not enabled, and there is no refresh token. */
#define AVITO_TOKENS_SIZE_ONE_LANE(longest) (2u * ((size_t)(longest) + 1u) + 64u)

/* True while the server says that the tariff lacks the Messenger API: 402, or the placeholder sentence
 * from two authors with no other text between (one alone may have copied it). Cleared by the first call
 * that shows a text of a person. */
AVITO_API bool avito_account_unpaid(const avito_account *account);

/* True when a refresh left, but no pair and no 4xx came: the token may be spent. The next renewal tries
 * it all the same; if that ends in AVITO_ERR_REFRESH_TOKEN, a person has to authorize again. */
AVITO_API bool avito_account_refresh_in_doubt(const avito_account *account);

/* The account is another person's, who allows it by their consent (avito_consent_url()). Call it after init,
 * before the first call: without their refresh token calls end in REFRESH_TOKEN. The client id and secret
 * alone would open the account of the application's owner; a stored token without a refresh token may be the
 * owner's, and is not used. AVITO_OK, or ARGUMENT without an initialised account. */
AVITO_API int avito_account_by_consent(avito_account *account);

/* Forgets how long the service asked to wait (Retry-After, at most a day): the next request goes out at
 * once. For a person who knows better. Without it, calls end in RATE if the wait cannot fit their
 * total_timeout_ms. ARGUMENT without an account. */
AVITO_API int avito_account_open_gate(avito_account *account);

/* ======================================================================= *
 * >>16 MODELS
 * ======================================================================= *
 *
 * All pointers and strings point into the arena of the call. What the server left out or sent as null is
 * NULL, a string with ptr NULL, or 0. Times are unix seconds. A word of an enum that is not known is
 * *_UNKNOWN; the server's own word is kept beside each enum.
 */

/* X(name, the server's word). The only list of message types: the enum, the words and the places of the
 * models come from it. Those whose content is a struct of its own: */
#define AVITO_MESSAGE_MODELS(X)                                                                    \
    X(IMAGE, image) X(LINK, link) X(ITEM, item) X(LOCATION, location) X(CALL, call) X(VOICE, voice)
/* All of them, in the order of their numbers. The API shows no content of the last three. */
#define AVITO_MESSAGE_TYPES(X)                                                                     \
    X(TEXT, text) AVITO_MESSAGE_MODELS(X) X(SYSTEM, system) X(DELETED, deleted)                    \
    X(APP_CALL, appCall) X(FILE, file) X(VIDEO, video)

#define AVITO_MESSAGE_ENUM_(name, word) AVITO_MESSAGE_##name,
typedef enum avito_message_type {
    AVITO_MESSAGE_NONE = 0, /* no type given */
    AVITO_MESSAGE_TYPES(AVITO_MESSAGE_ENUM_) AVITO_MESSAGE_UNKNOWN
} avito_message_type;
#undef AVITO_MESSAGE_ENUM_

typedef enum avito_direction {
    AVITO_DIRECTION_NONE = 0,
    AVITO_DIRECTION_IN,
    AVITO_DIRECTION_OUT,
    AVITO_DIRECTION_UNKNOWN
} avito_direction;

typedef enum avito_chat_type {
    AVITO_CHAT_TYPE_NONE = 0,
    AVITO_CHAT_TYPE_U2I = 1, /* about a listing */
    AVITO_CHAT_TYPE_U2U = 2, /* about a profile */
    AVITO_CHAT_TYPE_A2U = 4, /* from Avito itself */
    AVITO_CHAT_TYPE_UNKNOWN = 8
} avito_chat_type;

typedef enum avito_call_status {
    AVITO_CALL_NONE = 0,
    AVITO_CALL_MISSED,
    AVITO_CALL_UNKNOWN
} avito_call_status;

typedef enum avito_location_kind {
    AVITO_LOCATION_NONE = 0,
    AVITO_LOCATION_HOUSE,
    AVITO_LOCATION_STREET,
    AVITO_LOCATION_AREA,
    AVITO_LOCATION_UNKNOWN
} avito_location_kind;

typedef enum avito_blacklist_reason {
    AVITO_REASON_SPAM = 1,
    AVITO_REASON_FRAUD = 2,
    AVITO_REASON_INSULT = 3,
    AVITO_REASON_OTHER = 4
} avito_blacklist_reason;

/* One entry of a map from "WxH" to URL. */
typedef struct avito_image_size {
    avito_str size; /* "1280x960" */
    avito_str url;
} avito_image_size;

typedef struct avito_image_sizes {
    avito_image_size *items;
    size_t count;
} avito_image_sizes;

typedef struct avito_image {
    avito_image_sizes sizes;
} avito_image;

typedef struct avito_link_preview {
    avito_str title;
    avito_str description;
    avito_str domain;
    avito_str url;
    avito_image_sizes images;
} avito_link_preview;

typedef struct avito_link {
    avito_str text;
    avito_str url;
    avito_link_preview *preview;
} avito_link;

/* A listing that was sent as a message. */
typedef struct avito_item_content {
    avito_str title;
    avito_str item_url;
    avito_str image_url;
    avito_str price_string; /* holds U+00A0: "4 391 ₽" */
} avito_item_content;

/* Coordinates are in units of 1e-7 degree: 55.7512 is 557512000. */
typedef struct avito_location {
    avito_location_kind kind;
    avito_str kind_word;
    int32_t lat_e7;
    int32_t lon_e7;
    avito_str title;
    avito_str text;
} avito_location;

typedef struct avito_call {
    avito_call_status status;
    avito_str status_word;
    int64_t target_user_id;
} avito_call;

typedef struct avito_voice {
    avito_str voice_id; /* give it to avito_get_voice_files() */
} avito_voice;

typedef struct avito_system {
    avito_str flow_id; /* which robot; "seller_audience_discount" */
    avito_str text;
} avito_system;

/* What a message holds. `kind` says which member of `as` is set: it follows what the content object
 * really contains. AVITO_MESSAGE_NONE: no content (deleted, appCall, file, video, or null). */
typedef struct avito_content {
    avito_message_type kind;
    union {
        avito_str text;             /* TEXT */
        avito_system system;        /* SYSTEM: text with a flow_id, or message type system */
        avito_image *image;         /* IMAGE */
        avito_link *link;           /* LINK */
        avito_item_content *item;   /* ITEM */
        avito_location *location;   /* LOCATION */
        avito_call *call;           /* CALL */
        avito_voice *voice;         /* VOICE */
        avito_str raw;              /* NONE: with AVITO_RAW an object of the member that is not known */
        const void *wide;           /* private: while the message is being decoded */
    } as;
} avito_content;

typedef struct avito_quote {
    avito_str id;
    int64_t author_id;
    int64_t created;
    avito_message_type type;
    avito_str type_word;
    avito_content content;
} avito_quote;

/* A message of a list, the last message of a chat, the answer to a send, or the value of a
 * notification: each shows some of the fields. */
typedef struct avito_message {
    avito_str id;
    int64_t author_id;         /* 0 and 1: Avito itself */
    int64_t created;
    avito_message_type type;
    avito_str type_word;
    avito_direction direction; /* lists and answers only */
    avito_str direction_word;
    avito_content content;
    avito_quote *quote;
    int64_t read;              /* when the other side read it */
    int64_t delivered;         /* last message of a chat only */
    bool is_read;              /* read by this account; only if has_is_read */
    bool has_is_read;
    bool is_own;               /* this account wrote it: through the API, the app or the site */
    bool is_system;            /* Avito wrote it: type system, author 0, 1 or none, or not yours in an
                                  a2u chat; no text makes it so: any buyer can write it */
    bool is_placeholder;       /* the sentence of a tariff without the API, whoever seems to sign it: not
                                  what the person wrote; a buyer may have copied it */
    bool is_cut;               /* a text was cut at .cut_text_at */
    avito_str chat_id;         /* of notifications and an inbox; of a list of messages the one that you gave,
                                  which must live as long. Else empty: the chat is the one you asked for */
    /* notifications only: */
    int64_t user_id;           /* the account that was notified */
    avito_chat_type chat_type;
    avito_str chat_type_word;
    int64_t item_id;           /* 0 outside u2i */
    avito_str published_at;    /* RFC 3339 UTC */
} avito_message;

typedef struct avito_messages {
    avito_message *items; /* newest first, as the server sends them */
    size_t count;
    bool has_more;
    size_t skipped;     /* rows that break the model are left out; if all do, the call fails */
    const char *lacked; /* the member that the first of them lacked or broke; else NULL */
} avito_messages;

typedef struct avito_avatar {
    avito_str default_url;
    avito_image_sizes images;
} avito_avatar;

typedef struct avito_profile {
    int64_t user_id;
    int64_t item_id;
    avito_avatar *avatar;
    avito_str url;
} avito_profile;

typedef struct avito_user {
    int64_t id; /* 0: none, or a hash, of which the description warns */
    avito_str name;
    bool parsing_allowed;
    bool has_parsing_allowed;
    avito_profile *public_user_profile;
} avito_user;

typedef struct avito_users {
    avito_user *items;
    size_t count;
} avito_users;

typedef struct avito_item_location {
    avito_str title;
    int32_t lat_e7;
    int32_t lon_e7;
} avito_item_location;

typedef struct avito_item_images {
    avito_image_sizes main;
    int64_t count;
} avito_item_images;

/* The listing that a chat is about. */
typedef struct avito_item {
    int64_t id; /* over 2^32 */
    int64_t user_id;
    int64_t status_id; /* 4 and 10 were seen; 20: listing removed */
    avito_str title;
    avito_str price_string;
    avito_str url;
    avito_item_images *images;
    avito_item_location *location;
} avito_item;

typedef struct avito_context {
    avito_str type;   /* "item" */
    avito_item *item; /* only for type "item" */
    avito_str raw;    /* with AVITO_RAW the value of another type, as JSON */
} avito_context;

typedef struct avito_chat {
    avito_str id;
    int64_t created;
    int64_t updated;
    avito_context *context;
    avito_users users; /* this account is one of them */
    avito_message *last_message;
} avito_chat;

typedef struct avito_chats {
    avito_chat *items; /* most recently updated first */
    size_t count;
    bool has_more;
    size_t skipped;     /* rows that break the model are left out; if all do, the call fails */
    const char *lacked; /* the member that the first of them lacked or broke; else NULL */
} avito_chats;

typedef struct avito_strs {
    avito_str *items;
    size_t count;
} avito_strs;

typedef struct avito_self {
    int64_t id; /* the user_id of the other calls */
    avito_str name;
    avito_str email;
    avito_str phone;
    avito_strs phones;
    avito_str profile_url;
} avito_self;

typedef struct avito_uploaded_image {
    avito_str image_id; /* give it to avito_send_image_message() */
    avito_image_sizes sizes;
} avito_uploaded_image;

typedef struct avito_voice_file {
    avito_str voice_id;
    avito_str url; /* opus in mp4; good for one hour */
} avito_voice_file;

typedef struct avito_voice_files {
    avito_voice_file *items;
    size_t count;
} avito_voice_files;

typedef struct avito_subscription {
    avito_str url;
    avito_str version; /* "3" */
} avito_subscription;

typedef struct avito_subscriptions {
    avito_subscription *items;
    size_t count;
} avito_subscriptions;

/* A notification. `message` is NULL for a payload of a type that is not known. */
typedef struct avito_event {
    avito_str id; /* of this delivery; drop repeats by message->id instead */
    avito_str version;
    int64_t timestamp;
    avito_str type; /* "message"; may be missing though there is a message */
    avito_message *message;
    avito_str raw; /* by avito_parse_webhook_raw(): the value of another type, as JSON */
} avito_event;

/* ======================================================================= *
 * >>17 OPTIONS OF CALLS
 * ======================================================================= *
 *
 * Zero means the default in every member. They are copied by the call; what they point to is
 * borrowed until the call ends.
 */

/* Field mask (.want): what is not asked for is checked but takes no memory. Numbers, ids and enum
 * words always come. 0: everything. A group of which no bit is set comes whole.
 * "Everything but avatars": AVITO_CHAT_ALL & ~AVITO_CHAT_AVATARS. */
#define AVITO_CHAT_CONTEXT      0x0001u /* the listing */
#define AVITO_CHAT_USERS        0x0002u
#define AVITO_CHAT_PROFILES     0x0004u /* brings USERS */
#define AVITO_CHAT_AVATARS      0x0008u /* brings PROFILES and USERS */
#define AVITO_CHAT_LAST_MESSAGE 0x0010u
#define AVITO_CHAT_ALL          0x001fu
#define AVITO_MESSAGE_CONTENTS  0x0100u
#define AVITO_MESSAGE_QUOTES    0x0200u
#define AVITO_MESSAGE_IMAGES    0x0400u /* maps of image sizes in content and previews */
#define AVITO_MESSAGE_ALL       0x0700u
#define AVITO_MESSAGE_BARE      0x0800u /* none of the group */

/* AVITO_RAW is in no group and has to be asked for: what no model knows is kept as it came, as JSON in the
 * arena, for avito_json_parse(). In a content without a known member, content.as.raw is {"sticker":{...}}: its
 * first member whose name has at most 32 bytes. context.raw is the value of a type other than "item", if the
 * type came before it. Both add to an element's size. With AVITO_TINY: avito_enable_raw(), or OPTION_RAW. */
#define AVITO_RAW               0x0080u

typedef struct avito_chats_query {
    const int64_t *item_ids;   /* only chats about these listings */
    size_t item_ids_count;
    bool repeat_item_ids;      /* item_ids=1&item_ids=2 instead of item_ids=1,2 */
    bool unread_only;
    unsigned chat_types;       /* AVITO_CHAT_TYPE_* or-ed; 0: the server's choice (u2i) */
    int limit;                 /* 1..100; 0: 100 */
    int offset;                /* 0..1000 */
    bool all_pages;            /* go on to the last page (or offset 1000) by itself; rows that slide
                                  meanwhile, up to 26 of them, are not given twice; takes 248 bytes
                                  of the arena. With AVITO_TINY: avito_enable_pages(), or OPTION_PAGES */
    uint32_t want;             /* field mask; 0: everything */
    size_t cut_text_at;        /* cut message texts at so many bytes and flag it; 0: never */
} avito_chats_query;

typedef struct avito_messages_query {
    int limit;                 /* 1..100; 0: 100 */
    int offset;                /* 0..1000 */
    bool all_pages;
    uint32_t want;
    size_t cut_text_at;
} avito_messages_query;

/* What to upload: bytes in memory, or a function that gives them. At most 24 MB and 75 megapixels;
 * JPEG, HEIC, GIF, BMP or PNG. */
#define AVITO_IMAGE_MAX (24u * 1024u * 1024u)

typedef struct avito_image_source {
    const void *data;          /* either this, */
    /* or this: puts up to `cap` bytes from `offset` on into `buf` and returns their number, > 0, or
     * a negative error. May be asked for the same bytes again. */
    long (*read)(void *ctx, size_t offset, void *buf, size_t cap);
    void *ctx;
    size_t size;               /* total, 1..AVITO_IMAGE_MAX */
    const char *file_name;     /* UTF-8, else UTF8; NULL: "image" and the suffix of its type */
    const char *content_type;  /* "image/jpeg"; NULL: image/jpeg */
    void (*progress)(void *ctx, size_t sent, size_t size); /* optional */
} avito_image_source;

/* What avito_confirm_sent() looks for. */
typedef struct avito_sent_query {
    const char *text;            /* what was sent; NULL: an image */
    const char *baseline_id;     /* newest message of the chat before sending; NULL: it was empty */
    int64_t baseline_created;    /* its `created`; 0 with baseline_id NULL */
    const char *const *claimed;  /* ids of messages that belong to other sends */
    size_t claimed_count;
    uint32_t age_s;              /* seconds since the send ended */
    uint32_t grace_s;            /* how late a message may show up; 0: 60 */
} avito_sent_query;

typedef struct avito_blacklist_user {
    int64_t user_id;
    int64_t item_id; /* 0: none */
    avito_blacklist_reason reason;
} avito_blacklist_user;

/* ======================================================================= *
 * >>18 CLIENT
 * ======================================================================= *
 *
 * A lane: one connection, one call at a time. Many lanes on one thread are the asynchronous client.
 */

#define AVITO_WINDOW_MIN 512

struct avitoi_writer;

/* What each request of a lane says beside what the API needs. Borrowed for as long as the lane lives. */
typedef struct avito_headers {
    const char *user_agent;   /* NULL: avito_messenger/ and its version; "": none */
    const char *const *lines; /* such as "X-Gateway-Key: 0123"; their values count as secrets */
    size_t count;
    struct {                  /* private: so that only programs that ask for it link it */
        void (*put)(struct avitoi_writer *w, const struct avito_headers *headers);
        avito_str (*value)(const char *line);
    } priv;
} avito_headers;

typedef struct avito_client_options {
    avito_transport transport;
    void *window;                /* I/O buffer, used during calls; AVITO_WINDOW_MIN bytes or more */
    size_t window_cap;
    bool never_wait;             /* return AVITO_AGAIN even if the transport could wait */
    bool dry_run;                /* calls that change something send nothing and succeed; what they
                                    would have sent is written to error_body, and traced */
    uint8_t retries;             /* how often a call begins again after 429, 5xx, a dead connection or an
                                    answer that makes no sense: reads always, writes only when surely
                                    not sent; 0: never */
    uint32_t connect_timeout_ms; /* 0: 15000 */
    uint32_t idle_timeout_ms;    /* 0: 30000; no byte moved */
    uint32_t total_timeout_ms;   /* 0: 120000; one call, or one avito_next_*(); uploads: raise it */
    uint32_t keep_alive_ms;      /* 0: 50000; a connection unused for longer is not used again */
    char *error_body;            /* optional: gets the raw body of an answer that is no 2xx, NUL-terminated */
    size_t error_body_cap;
    struct {                     /* private: what avito_enable_*() has linked, and avito_set_headers() */
        const avito_headers *headers;
        const struct avitoi_call_retries *retries;
        int (*dry_run)(struct avito_client *c);
        const struct avitoi_json_raw *raw;
        const struct avitoi_endpoint *sent;
        const struct avitoi_list_pages *pages;
    } priv;
} avito_client_options;

/* ---- private from here to avito_client: visible only so that you can reserve the memory ---- */

#define AVITOI_JSON_LEVELS 9  /* root, list, chat, message, quote, content, link, preview, image sizes */
#define AVITOI_JSON_WORD   32  /* longest known key or number, header name or value of interest */

struct avitoi_schema;
struct avitoi_endpoint;
typedef int avitoi_call_result; /* of a call: its result, AVITO_AGAIN, or AVITOI_CALL_MOVED */

/* Where an answer is decoded to: two stacks that grow towards each other in one arena, or, for
 * tokens, in two pieces of memory. */
struct avitoi_arena_ends {
    char *low_base, *high_end;
    size_t low_cap;
    size_t low, high; /* bytes taken, also those that would have been if there were room */
    size_t peak;      /* most of both at once; list: of the current element */
};

/* An open container whose schema is known. */
struct avitoi_json_frame {
    const struct avitoi_schema *schema; /* of the object, or of the elements */
    union {
        char *model; /* object: its struct; NULL while it is only counted */
        size_t high_before; /* list: mem.high as it was opened */
    } at;
    uint32_t seen;   /* object: bit per field met; else: elements so far */
    uint8_t kind;
    uint8_t field;   /* object: the row of the member being read, or the last one that was */
    bool high;       /* object: its struct is at the high end until it is complete */
    uint8_t type;    /* object: AVITOI_SCHEMA_TYPE_* of what its TYPE has said */
};

/* The response head reader. */
struct avitoi_head {
    uint8_t state, header, word_len; /* small members first, as below */
    bool has_length, chunked, close, persistent, exhausted, http10;
    uint16_t status;
    /* Reads what only the rate needs; NULL: not linked. */
    void (*more)(struct avitoi_head *h, avito_str value);
    size_t length;
    uint32_t date, retry_date; /* unix seconds; 0: not given */
    uint32_t bytes;
    uint32_t retry_after_s;
    uint32_t rate_limit;       /* requests per minute */
};

/* The JSON machine: a strict reader that can stop at any byte. */
struct avitoi_json {
    /* Small members first, here and in avito_client: short instructions reach them there. */
    uint8_t state, depth, level, skip, list_depth;
    uint8_t kind;           /* of the row whose string or number is read, AVITOI_JSON_KEY or _NO_KIND */
    uint8_t word_len, utf8_len, tariff;
    uint8_t raw_depth;      /* 1 + the depth at which a value is kept raw; 0: none is */
    bool collect;           /* list: its elements stay, and become one array */
    bool measuring;         /* memory is full: what comes is only counted */
    bool cutting, frozen, was_cut; /* this text may be cut; it has been; a text of the element was */
    bool lenient, in_key;   /* a misfit is dropped; the string is a key */
    bool hollow;            /* an array where an object belongs: it must be empty */
    bool from_service;      /* the messages are of a chat of the service's own */
    int8_t more;            /* list: 1 the server says that there is more, -1 that there is not */
    uint16_t want;
    uint16_t surrogate;     /* high half waiting for its low half */
    int16_t bad;            /* the element is skipped because of this error */
    int16_t event;          /* what feed returns next; 0: nothing */
    uint16_t skipped;       /* elements that broke the model, of a list that is collected */
    uint16_t page_rows;     /* list: elements of this page, good, bad or given before; at most UINT16_MAX */
    uint32_t sentence_by;   /* who seems to have written the last placeholder; 0: no one */
    const struct avitoi_json_raw *raw;   /* keeps what no model knows; NULL: it is only checked */
    const struct avitoi_json_list *list; /* what its elements need while it streams; NULL: nothing streams */
    struct avitoi_json_frame *top; /* of the open ones; before the root is open, it has its schema */
    struct avitoi_arena_ends mem;
    void *out;              /* the root's struct, or the current element's */
    const char *culprit;    /* the key that broke the model; of the first that was skipped */
    char *dst;              /* string: where its next byte goes; NULL: it is dropped */
    size_t room, len;       /* string: bytes free at dst; decoded so far. Raw: room is where it begins */
    size_t cut_at;          /* longest text to keep; 0: any */
    size_t element_low;     /* list: mem.low when an element begins */
    avito_str id;           /* list: the current element's */
    uint32_t rows;          /* list: elements given so far, and their errors */
    uint32_t is_object;     /* bit per open container */
    char utf8[4];           /* of a sequence; in an escape the first two bytes are what \uXXXX says so far */
    char word[AVITOI_JSON_WORD]; /* a key, number or literal; in the head, a header's name or value */
    union {
        struct avitoi_json_frame frames[AVITOI_JSON_LEVELS];
        struct {
            struct avitoi_head head; /* read before the body */
            uint8_t boundary[16];    /* of the request's parts */
        } before;
    } as;
};

/* What a call was asked to do: everything that the request is written from. */
struct avitoi_client_args {
    int64_t user_id;
    const char *chat_id;
    const char *text;   /* or message id, image id, URL, code */
    union {
        struct {
            const int64_t *item_ids;
            size_t item_ids_count;
            unsigned chat_types;
            bool repeat_item_ids, unread_only;
        } chats;
        struct {
            avito_sent_query query;
            avito_outcome *outcome;
            uint32_t sent_ms; /* clock when the send that is being confirmed ended */
        } confirm;
        avito_image_source upload;
        const char *redirect_uri;
        struct {
            const void *items; /* voice ids or blacklist users */
            size_t count;
        } many;
    } as;
};

typedef struct avito_client {
    avito_account *account;
    /* Private, too: ends a send. avito_confirm_sends() sets it, so that only its callers link what it calls.
     * priv.judge is a pointer for the same reason. */
    avitoi_call_result (*settle)(struct avito_client *c, int rc);
    struct {
        /* What is small and often needed comes first: short instructions reach it there. Of the lane: */
        uint8_t state;
        bool connected, connecting;
        bool filled;                  /* the last read left something, or may have */
        bool inside;                  /* one of its functions is at work: who calls comes from a hook */
        bool cancel_asked;            /* by a hook: done when it has returned; ... */
        bool close_asked;             /* ... and so is this */
        /* Of one call, from here to json: it begins with zeros. */
        bool probe;                   /* look at the kept connection before using it */
        uint8_t retries;              /* so far */
        bool keep_alive;              /* the answer lets the connection be kept */
        bool written;                 /* the request left whole */
        bool fetched;                 /* a token for this call, not used yet */
        bool answered;                /* the answer was read to its end */
        bool waiting;                 /* for another lane that fetches the token */
        bool model;                   /* the answer goes into the caller's arena */
        bool collect;
        bool all_pages : 1, has_more : 1, abandoned : 1; /* nobody waits for what is still to come */
        bool covered : 1;             /* all since the baseline was seen, and none of it may be ours */
        bool reached : 1;             /* a row as old as the baseline was seen */
        bool same_second : 1;         /* what may be ours is as old as the baseline */
        bool settling;                /* a send that cannot tell is being confirmed */
        bool eager;                   /* there is more to do at once */
        bool retried;                 /* a refused token was replaced once */
        bool quoted;                  /* the error's text is the server's */
        uint8_t limit;                /* list: rows asked for */
        uint8_t refusals;             /* of the account when the call began to wait */
        avito_outcome verdict;        /* of the send that is being confirmed */
        uint16_t status;              /* of the answer; 0: its head was not read to the end */
        uint16_t cause_status;
        uint16_t offset, rows_before; /* list: first row; rows of the pages before this one */
        uint16_t want;
        uint16_t access_len;
        int16_t send_error;           /* sending failed with it; the server may have said why */
        int16_t cause;                /* the error of the send that is being confirmed */
        const struct avitoi_endpoint *call;    /* what the caller asked for; NULL: idle */
        const struct avitoi_endpoint *request; /* what is on the wire: call, or a token request */
        size_t pos, len;              /* window: [pos, len) is to be sent, or to be read */
        size_t span;                  /* body bytes at pos */
        void *out;
        uint32_t idle_left_ms;        /* until something has to happen; ACCOUNT: of the pause */
        uint32_t total_left_ms;
        avito_arena *arena;
        uint32_t sent;                /* bytes of the request that the transport took */
        uint32_t raw_len;             /* of a refusal's body, in error_body; of a model's, in the window */
        uint32_t epoch;               /* of the token used */
        uint32_t look_ms;             /* the wire is looked at when idle_left_ms has come down to it */
        uint32_t wire;                /* moved() at the last look */
        uint32_t date;                /* of the answer, in unix seconds; 0: not given */
        const char *access;           /* the token of this request */
        avitoi_call_result (*judge)(struct avito_client *c, int rc); /* reading back: a row, or the end */
        const void *owner;            /* the inbox whose call this is, between its own calls */
        size_t cut_at;                /* bytes of a text to keep; DRAIN: bytes that may still be read */
        struct avitoi_body body;
        struct avitoi_client_args args;
        struct avitoi_json json;
        const avito_sent_query *baseline; /* of the lane: of settle */
        uint32_t last_ms;             /* clock at the last look */
        uint32_t moved_ms;            /* clock when the connection last brought something */
        uint32_t total;               /* bytes of the request in all */
    } priv;
    avito_client_options o;
    avito_error error;
} avito_client;

AVITO_API avito_client_options avito_client_options_default(void);

/* Parts, as those of the account (>>15). `retries` is for .retries and the account's rate:
 * .requests_per_minute, and what the server says of it. Without it a 429 is the result of its own call and
 * does not hold up others, and a Retry-After that is a date is not read. The inbox links the rate, and
 * what confirms a send links .all_pages. */
AVITO_API void avito_enable_retries(avito_client_options *options);
AVITO_API void avito_enable_dry_run(avito_client_options *options);
AVITO_API void avito_enable_raw(avito_client_options *options);   /* AVITO_RAW in .want */
AVITO_API void avito_enable_sent(avito_client_options *options);  /* `out` of what sends a message */
AVITO_API void avito_enable_pages(avito_client_options *options); /* .all_pages of a list */

/* Checks the lines and notes them in the options, before init. `headers` NULL: User-Agent alone, which a
 * lane sends without this call, too; with AVITO_TINY 1 it sends none. AVITO_OK; OPTION_HEADERS: a line is
 * not Name: value, has a control byte, or a name that is ours or says how requests are framed; *bad
 * (optional) is its index, `count` if it is user_agent; ARGUMENT. */
AVITO_API int avito_set_headers(avito_client_options *options, avito_headers *headers, size_t *bad);

/* AVITO_OK, OPTION_TRANSPORT, OPTION_WINDOW, with AVITO_TINY OPTION_RETRIES, _DRY_RUN, _DIAGNOSTICS,
 * _LANES, or ARGUMENT (error_body). Copies the options. The account, the transport and the window must
 * outlive the lane. Sends nothing: the first call connects. */
AVITO_API int avito_client_init(avito_client *client, avito_account *account,
                                const avito_client_options *options);

/* Closes the connection of an idle lane, or cancels what it does. Legal at any moment. */
AVITO_API void avito_client_close(avito_client *client);

/* ---- step, wait, cancel ---- */

/* Carries the call in progress on, without waiting. AVITO_AGAIN: not finished. Anything else is the
 * result of the call (AVITO_OK, AVITO_END or an error), given once; then AVITO_ERR_IDLE. */
AVITO_API int avito_step(avito_client *client);

/* After AVITO_AGAIN: what to wait for, as AVITO_WANT_* bits. 0 when nothing is in progress. */
AVITO_API int avito_wants(const avito_client *client);

/* Milliseconds until avito_step() must be called even if nothing happens; UINT32_MAX when nothing
 * is in progress. */
AVITO_API uint32_t avito_deadline_ms(const avito_client *client);

/* Ends the call or list in progress and closes the connection. The lane can be used again at once.
 * Does nothing on an idle lane. avito_last_error() then tells whether a send may have happened. */
AVITO_API void avito_cancel(avito_client *client);

/* Never NULL, as `client` must not be. Describes the last call that ended, or that was refused before
 * it began. */
AVITO_API const avito_error *avito_last_error(const avito_client *client);

/* ======================================================================= *
 * >>19 CALLS
 * ======================================================================= *
 *
 * Every call works both ways. On a lane that may wait (the transport has wait(), never_wait is
 * false) it returns its result. On one that may not it returns AVITO_AGAIN, and avito_step() goes
 * on. Common results: AVITO_OK; AVITO_AGAIN; ARGUMENT, ID (checked before a byte is sent); BUSY;
 * ARENA, where there is one; any -3xx, -4xx, -5xx; from fetching a token on the way TOKEN_ROOM and
 * HOOK; from TLS TLS_ROOM, OPTION_TIME, OPTION_ENTROPY, OPTION_HOST. What else a call can end in is
 * said with it. On an error `out` is not to be used, and the arena is as it was.
 *
 * Numbers and option structs are copied. Strings, id arrays, out-pointers, arenas and upload
 * sources are borrowed until the call ends. `out` may be NULL where it says "optional".
 */

/* ---- token and user ---- */

/* Fetches a token with the client credentials (or by the refresh token, if the account has one) and
 * keeps it in the account. Every other call does this by itself when needed. `out` optional, its
 * strings live in the account's token buffer. CREDENTIALS, REFRESH_TOKEN: refused. */
AVITO_API int avito_get_token(avito_client *client, avito_token *out);

/* Whose token it is: out->id is the user_id of the other calls. */
AVITO_API int avito_get_self(avito_client *client, avito_arena *arena, avito_self *out);

/* ---- chats and messages ---- */

/* A page of chats at once, or all pages with .all_pages. `query` may be NULL: no filter, one page of
 * 100. Chats that break the model are left out: out->skipped. */
AVITO_API int avito_get_chats(avito_client *client, int64_t user_id, const avito_chats_query *query,
                              avito_arena *arena, avito_chats *out);

/* One chat, with everything. */
AVITO_API int avito_get_chat(avito_client *client, int64_t user_id, const char *chat_id,
                             avito_arena *arena, avito_chat *out);

/* A page of messages at once, newest first. Does not mark the chat as read. */
AVITO_API int avito_get_messages(avito_client *client, int64_t user_id, const char *chat_id,
                                 const avito_messages_query *query, avito_arena *arena,
                                 avito_messages *out);

/* ---- sending ----
 *
 * Not repeatable: when the result is an error, error.outcome says whether the message was stored. */

#define AVITO_TEXT_MAX 1000u /* code points */

/* Text of 1..AVITO_TEXT_MAX code points, not blank, else TEXT or UTF8. `out` optional: the message as the
 * service stored it, with what the description knows of it: id, author_id, created, type, direction, and
 * the text or image; `arena` may be NULL if `out` is. With AVITO_TINY `out` needs avito_enable_sent(), else
 * the result is OPTION_SENT. */
AVITO_API int avito_send_message(avito_client *client, int64_t user_id, const char *chat_id,
                                 const char *text, avito_arena *arena, avito_message *out);

/* `image_id` from avito_upload_image(); one image each. `out`, `arena` as above. */
AVITO_API int avito_send_image_message(avito_client *client, int64_t user_id, const char *chat_id,
                                       const char *image_id, avito_arena *arena,
                                       avito_message *out);

/* Takes the next part off a long text: moves *text on over blanks, to where the part begins, and returns
 * its length in bytes; 0: nothing is left. Each part can be sent: it has up to AVITO_TEXT_MAX UTF-16 units,
 * so no more code points either, and neither begins nor ends with a blank. It ends at a paragraph, line,
 * sentence or word where its last quarter has one, else between two characters as a person sees them, and
 * inside of one only if that alone is too long. Copies nothing::
 *
 *     char part[AVITO_PART_SIZE];
 *     for (size_t n; (n = avito_next_part(&text)) > 0; text += n) {
 *         memcpy(part, text, n);
 *         part[n] = '\0';
 *         result = avito_send_message(&client, user_id, chat_id, part, NULL, NULL);
 *     }
 *
 * Malformed UTF-8 stays malformed in its part, which avito_send_message() refuses. Without a text, 0. */
AVITO_API size_t avito_next_part(const char **text);
#define AVITO_PART_SIZE (3u * AVITO_TEXT_MAX + 1u) /* bytes of the longest part and a NUL */

/* As it was in 0.1.0: the length of the next part, never 0 for a text that is not empty; the parts touch
 * each other, so the blanks at a border belong to one of them. If neither has room for them, a part may be
 * blanks alone, which cannot be sent: avito_next_part() gives none. */
AVITO_API size_t avito_split_text(const char *text);

/* Uploads one picture, in pieces, without ever holding it; `out` and `arena` are required. Needs the
 * account's entropy (OPTION_ENTROPY) and, for large pictures, a longer total_timeout_ms. SOURCE: read()
 * failed; TOO_LARGE, perhaps before all has left. */
AVITO_API int avito_upload_image(avito_client *client, int64_t user_id,
                                 const avito_image_source *source, avito_arena *arena,
                                 avito_uploaded_image *out);

/* All messages of the chat. */
AVITO_API int avito_mark_chat_as_read(avito_client *client, int64_t user_id, const char *chat_id);

/* Within one hour of sending. The row stays, with type `deleted`. */
AVITO_API int avito_delete_message(avito_client *client, int64_t user_id, const char *chat_id,
                                   const char *message_id);

/* URLs of voice messages, by id, in the server's order. The ids are those of avito_voice; the array and
 * the ids are borrowed. */
AVITO_API int avito_get_voice_files(avito_client *client, int64_t user_id,
                                    const char *const *voice_ids, size_t count,
                                    avito_arena *arena, avito_voice_files *out);

/* ---- notifications ---- */

/* `url`: https:// (or http://) and printable ASCII without blanks, else ID; it should hold a long
 * secret (>>57). The server may answer CONFLICT to one that it has already. */
AVITO_API int avito_subscribe_webhook(avito_client *client, const char *url);
AVITO_API int avito_unsubscribe_webhook(avito_client *client, const char *url);
AVITO_API int avito_get_webhook_subscriptions(avito_client *client, avito_arena *arena,
                                              avito_subscriptions *out);

/* ---- blacklist ---- */

/* `count` users, each with a reason and, if not 0, the listing that it was about; the array is borrowed. The
 * API has no way to take them off again, nor to list them. */
AVITO_API int avito_add_to_blacklist(avito_client *client, int64_t user_id,
                                     const avito_blacklist_user *users, size_t count);

#ifdef __cplusplus
}
#endif

#endif /* AVITO_MESSENGER_H: end of the core's interface */

#if defined(AVITO_MESSENGER_IMPLEMENTATION) && !defined(AVITO_MESSENGER_IMPLEMENTED)

/* ======================================================================= *
 * >>20 PROLOGUE
 * ======================================================================= *
 *
 * What the compiler is told before anything else: which build this is, and what is assumed of the
 * processor. Comes in: the macros of the title page. Goes out: macros for all chapters. May not define a
 * function.
 */

#include <string.h>

/* 1: scan text 16 bytes at a time where SSE2 is there; the portable twin gives the same results. */
#ifndef AVITO_WITH_SIMD
#if defined(__SSE2__)
#define AVITO_WITH_SIMD 1
#else
#define AVITO_WITH_SIMD 0
#endif
#endif
#if AVITO_WITH_SIMD
#include <emmintrin.h>
#endif

/* 1: what few programs need is linked by avito_enable_*() only (>>15). */
#ifndef AVITO_TINY
#define AVITO_TINY 0
#endif

/* 1: what needs nothing special is read in one go, for speed; 0: saves some 20 KB. With -Os only
 * where there is no operating system: elsewhere its speed is worth more than its size. */
#ifndef AVITO_WITH_SHORTCUTS
#if defined(__unix__) || defined(__APPLE__) || defined(_WIN32) || !defined(__OPTIMIZE_SIZE__)
#define AVITO_WITH_SHORTCUTS !AVITO_TINY
#else
#define AVITO_WITH_SHORTCUTS 0
#endif
#endif

#define AVITOI_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A struct of nothing, without a warning in either language. */
#if defined(__cplusplus)
#define AVITOI_ZERO {}
#else
#define AVITOI_ZERO {0}
#endif

/* APART, not inlined: its stack is free again while its caller goes on, or its code is there only once.
 * INLINE, always inlined: many small functions make one loop, or only its caller pays for it. */
#if defined(__GNUC__)
#define AVITOI_APART __attribute__((noinline))
#define AVITOI_INLINE inline __attribute__((always_inline))
#else
#define AVITOI_APART
#define AVITOI_INLINE inline
#endif

/* Not inlined, unless speed counts for more than the stack. */
#if AVITO_WITH_SHORTCUTS
#define AVITOI_APART_IF_SMALL
#else
#define AVITOI_APART_IF_SMALL AVITOI_APART
#endif

/* Assumptions about the platform. */
#define AVITOI_ASSERT(tag, condition) extern char avitoi_assert_##tag[(condition) ? 1 : -1]
AVITOI_ASSERT(bytes_have_8_bits, (unsigned char)255 == 255 && sizeof(uint8_t) == 1);
AVITOI_ASSERT(int_has_32_bits, sizeof(int) >= 4);
AVITOI_ASSERT(pointers_are_alike, sizeof(void *) == sizeof(char *));
AVITOI_ASSERT(str_is_array, sizeof(avito_str) == sizeof(avito_strs));

/* ======================================================================= *
 * >>21 TEXT
 * ======================================================================= *
 *
 * Bytes, words and UTF-8. Characters are bytes here; what looks at code points says utf8 in its name. Comes
 * in: text and lengths. Goes out: yes or no, a number, a place in the text. May not keep or take memory.
 */

AVITO_API bool avito_str_equal(avito_str s, const char *word)
{
    return s.ptr != NULL && word != NULL && s.len == strlen(word) &&
           memcmp(s.ptr, word, s.len) == 0;
}

static avito_str avitoi_text_of(const char *text)
{
    avito_str s;
    s.ptr = text;
    s.len = strlen(text);
    return s;
}

static avito_str avitoi_text_or_none(const char *text)
{
    static const avito_str none = {NULL, 0};
    return text != NULL ? avitoi_text_of(text) : none;
}

static bool avitoi_text_starts(avito_str s, const char *prefix)
{
    const size_t n = strlen(prefix);
    return s.len >= n && memcmp(s.ptr, prefix, n) == 0;
}

static uint8_t avitoi_text_byte(char c)
{
    return (uint8_t)c;
}

AVITOI_APART_IF_SMALL static char avitoi_text_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char)(c + ('a' - 'A')) : c;
}

/* The value of a hex digit, or 16. */
static unsigned avitoi_text_hex_digit(char c)
{
    const unsigned digit = (unsigned)avitoi_text_byte(c) - '0';
    const unsigned letter = ((unsigned)avitoi_text_byte(c) | 0x20u) - 'a';
    return digit < 10u ? digit : letter < 6u ? letter + 10u : 16u;
}

/* The hex digit of a value below 16. */
static char avitoi_text_of_digit(unsigned value)
{
    return (char)(value < 10u ? '0' + value : 'A' - 10u + value);
}

/* FNV-1a, never 0. */
AVITOI_APART_IF_SMALL static uint64_t avitoi_text_hash(const char *p, size_t len)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; len > 0; len--) {
        hash = (hash ^ avitoi_text_byte(*p++)) * 0x100000001b3u;
    }
    return hash != 0 ? hash : 1u;
}

/* Does a byte of a JSON string mean itself? */
static bool avitoi_text_is_plain(char c)
{
    return c != '"' && c != '\\' && avitoi_text_byte(c) >= ' ' && avitoi_text_byte(c) < 0x80;
}

/* Takes blanks off both ends. */
static void avitoi_text_trim(avito_str *s)
{
    while (s->len > 0 && avitoi_text_byte(*s->ptr) <= ' ') {
        s->ptr++;
        s->len--;
    }
    while (s->len > 0 && avitoi_text_byte(s->ptr[s->len - 1u]) <= ' ') {
        s->len--;
    }
}

/* Printable ASCII without blanks, not empty. */
static bool avitoi_text_is_word(const char *text)
{
    if (text == NULL || *text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text > '~') {
            return false;
        }
    }
    return true;
}

/* What follows the first `word` in a text, without regard to case (ASCII); NULL: the text lacks it. */
static const char *avitoi_text_after(const char *text, const char *word)
{
    size_t i;
    for (; *text != '\0'; text++) {
        for (i = 0; word[i] != '\0' && avitoi_text_lower(text[i]) == word[i]; i++) {
        }
        if (word[i] == '\0') {
            return text + i;
        }
    }
    return NULL;
}

/* ---- words ---- */

/* Makes a list of words from X(name, word): of each its length, itself and a NUL; after the last a zero. */
#define AVITOI_TEXT_WORD_MEMBERS_(name, word)                                                      \
    uint8_t length_##name;                                                                         \
    char word_##name[sizeof(#word)];
#define AVITOI_TEXT_WORD_(name, word) sizeof(#word) - 1u, #word,
#define AVITOI_TEXT_WORDS(name, list)                                                              \
    static const struct {                                                                          \
        list(AVITOI_TEXT_WORD_MEMBERS_) uint8_t end;                                               \
    } name = {list(AVITOI_TEXT_WORD_) 0}

static const char *avitoi_text_next_word(const char *words)
{
    return words + *words + 2;
}

/* Is it this word, a literal? */
#define AVITOI_TEXT_IS(word, literal)                                                              \
    ((word).len == sizeof(literal) - 1u && memcmp((word).ptr, literal, sizeof(literal) - 1u) == 0)

/* The number of a word in a list, from 1 on. 0: no word is given; one past the last: the list lacks it. */
static int avitoi_text_word_number(const void *list, avito_str word)
{
    const char *words = (const char *)list;
    int number = 1;
    if (word.ptr == NULL) {
        return 0;
    }
    for (; *words != '\0'; words = avitoi_text_next_word(words)) {
        if ((size_t)*words == word.len && memcmp(words + 1, word.ptr, word.len) == 0) {
            break;
        }
        number++;
    }
    return number;
}

/* Is `token` one of the words of a comma list? */
static bool avitoi_text_has_token(avito_str list, const char *token)
{
    size_t at = 0;
    while (at < list.len) {
        avito_str word;
        word.ptr = list.ptr + at;
        while (at < list.len && list.ptr[at] != ',') {
            at++;
        }
        word.len = (size_t)(list.ptr + at - word.ptr);
        avitoi_text_trim(&word);
        if (avito_str_equal(word, token)) {
            return true;
        }
        at++;
    }
    return false;
}

/* ---- HTTP ---- */

/* RFC 9110, 5.6.2: may this byte be part of a field's name, a method and the like? */
static bool avitoi_text_is_http_token(unsigned char c)
{
    const unsigned letter = (c | 0x20u) - (unsigned)'a'; /* most are letters */
    return letter < 26u || (c > ' ' && c < 0x7f && strchr("\"(),/:;<=>?@[\\]{}", c) == NULL);
}

/* May this byte be part of a field's value? Of the control bytes only the tab may. */
AVITOI_APART_IF_SMALL static bool avitoi_text_is_http_text(unsigned char c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

/* ---- UTF-8 ---- */

/* The length of the UTF-8 sequence at `p`, where `n` bytes are, at least one. Over `n`: it is cut. 0: it is
 * malformed (RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF). */
static unsigned avitoi_text_utf8_length(const char *p, size_t n)
{
    const uint8_t lead = avitoi_text_byte(*p);
    const unsigned length = lead < 0x80 ? 1u : lead < 0xe0 ? 2u : lead < 0xf0 ? 3u : 4u;
    uint8_t min = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t max = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    unsigned i;
    if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4) {
        return 0;
    }
    for (i = 1; i < length && i < n; i++) {
        if (avitoi_text_byte(p[i]) < min || avitoi_text_byte(p[i]) > max) {
            return 0;
        }
        min = 0x80;
        max = 0xbf;
    }
    return length;
}

/* Counts the code points of a NUL-terminated text, and those that are not white space.
 * False: not well-formed UTF-8. */
static bool avitoi_text_utf8_count(const char *text, size_t *points, size_t *visible)
{
    *points = 0;
    *visible = 0;
    while (*text != '\0') {
        const unsigned n = avitoi_text_utf8_length(text, 4); /* its NUL would be malformed in a sequence */
        if (n == 0) {
            return false;
        }
        *points += 1;
        *visible += (avitoi_text_byte(*text) > ' ') ? 1u : 0u;
        text += n;
    }
    return true;
}

/* Makes a NUL-terminated text well-formed: a malformed byte becomes '?', an unfinished end is dropped. */
static void avitoi_text_utf8_mend(char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        size_t n = avitoi_text_utf8_length(text, left);
        if (n > left) {
            *text = '\0';
            return;
        }
        if (n == 0) {
            *text = '?';
            n = 1;
        }
        text += n;
        left -= n;
    }
}

/* Writes a code point as UTF-8; returns its length n, 1..4. If n > 1, the first byte begins with n one bits. */
static AVITOI_INLINE size_t avitoi_text_utf8_put(uint32_t point, char out[4])
{
    const size_t n = point < 0x80u ? 1u : point < 0x800u ? 2u : point < 0x10000u ? 3u : 4u;
    size_t i;
    for (i = n - 1u; i > 0; i--) {
        out[i] = (char)(0x80u | (point & 0x3fu));
        point >>= 6;
    }
    out[0] = (char)((n == 1u ? 0u : 0xf00u >> n & 0xffu) | point);
    return n;
}

/* ======================================================================= *
 * >>22 ARENA
 * ======================================================================= *
 *
 * The caller's memory, from which models are taken. Comes in: the caller's block. Goes out: offsets and
 * sizes that are multiples of AVITOI_ARENA_ALIGN. May not give anything back, except by a reset.
 */

#define AVITOI_ARENA_ALIGN  8u /* of every model: int64_t is the widest member */

static size_t avitoi_arena_align(size_t n)
{
    return (n + (AVITOI_ARENA_ALIGN - 1u)) & ~(size_t)(AVITOI_ARENA_ALIGN - 1u);
}

/* Bytes of memory that give an arena of `n`, aligned, wherever they begin. */
static size_t avitoi_arena_needed(size_t n)
{
    return (n + (AVITOI_ARENA_ALIGN - 1u)) | (AVITOI_ARENA_ALIGN - 1u);
}

AVITO_API avito_arena avito_arena_of(void *memory, size_t size)
{
    avito_arena arena;
    const size_t skew =
        (memory == NULL) ? 0 : (0u - (size_t)(uintptr_t)memory) & (AVITOI_ARENA_ALIGN - 1u);
    memset(&arena, 0, sizeof arena);
    arena.base = (char *)memory;
    if (memory != NULL && size > skew) {
        arena.base += skew;
        arena.cap = (size - skew) & ~(size_t)(AVITOI_ARENA_ALIGN - 1u);
    }
    return arena;
}

AVITO_API void avito_arena_reset(avito_arena *arena)
{
    if (arena != NULL && !arena->busy) {
        arena->used = 0;
    }
}

/* The stacks share `cap` bytes from `base` on, which is aligned. */
static void avitoi_arena_share(struct avitoi_arena_ends *mem, char *base, size_t cap)
{
    memset(mem, 0, sizeof *mem);
    mem->low_base = base;
    mem->low_cap = cap & ~(size_t)(AVITOI_ARENA_ALIGN - 1u);
    mem->high_end = base + mem->low_cap;
}

/* ======================================================================= *
 * >>23 NUMBERS
 * ======================================================================= *
 *
 * Numbers out of text, into text, and against a clock that wraps. Comes in: digits, moments. Goes out:
 * integers. May not use floating point or a division of 64 bits: not every processor has them.
 */

AVITOI_APART_IF_SMALL static uint32_t avitoi_number_minus(uint32_t value, uint32_t by)
{
    return value > by ? value - by : 0u;
}

static uint32_t avitoi_number_or(uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

/* Milliseconds from `then` to `now` on a clock that wraps; 0 if it seems to have gone back. For
 * deadlines. Where a long time may have passed unseen, use the plain difference: there a clock that went
 * back counts as a long time. */
static uint32_t avitoi_number_elapsed(uint32_t now, uint32_t then)
{
    const uint32_t elapsed = now - then;
    return (elapsed > (uint32_t)INT32_MAX) ? 0u : elapsed;
}

/* ---- text into numbers and back ---- */

/* Takes the last digit off. Where words have 32 bits it divides 16 bits at a time: a processor without a
 * division of 64 bits would link 700 bytes for it. */
AVITOI_APART_IF_SMALL static unsigned avitoi_number_pop(uint64_t *value)
{
#if UINTPTR_MAX > UINT32_MAX
    const unsigned digit = (unsigned)(*value % 10u);
    *value /= 10u;
    return digit;
#else
    const uint32_t high = (uint32_t)(*value >> 32), low = (uint32_t)*value;
    const uint32_t middle = (high % 10u) << 16 | low >> 16;
    const uint32_t bottom = (middle % 10u) << 16 | (low & 0xffffu);
    *value = (uint64_t)(high / 10u) << 32 | (middle / 10u) << 16 | bottom / 10u;
    return (unsigned)(bottom % 10u);
#endif
}

/* Decimal digits of a value at the end of `buf`; returns where they begin. */
static const char *avitoi_number_decimal(uint64_t value, char buf[21])
{
    char *p = buf + 20;
    *p = '\0';
    do {
        *--p = (char)('0' + (int)avitoi_number_pop(&value));
    } while (value != 0);
    return p;
}

static inline bool avitoi_number_is_digit(char c)
{
    return (unsigned)avitoi_text_byte(c) - (unsigned)'0' <= 9u;
}

#define AVITOI_NUMBER_MAX          24u /* bytes of a number that a known field may have */
#define AVITOI_NUMBER_FRACTION_MAX 14u /* bytes of a number up to which digits after the point are kept */
#define AVITOI_NUMBER_POWER_MAX    99  /* of ten; the API sends no larger one */

/* Appends a digit. False: there is no room for it. */
AVITOI_APART_IF_SMALL static bool avitoi_number_push(uint64_t *value, unsigned digit)
{
    if (*value > (uint64_t)INT64_MAX / 10u) {
        return false;
    }
    *value = *value * 10u + digit;
    return true;
}

/* Adds the power of ten that a JSON number has after its e. False: there is none, or it is too large. */
static bool avitoi_number_add_power(const char *p, const char *end, int *power)
{
    const bool negative = p < end && *p == '-';
    int more = 0;
    p += p < end && !avitoi_number_is_digit(*p) ? 1 : 0;
    if (p == end) {
        return false;
    }
    for (; p < end && more <= AVITOI_NUMBER_POWER_MAX; p++) {
        more = more * 10 + (*p - '0');
    }
    *power += negative ? -more : more;
    return more <= AVITOI_NUMBER_POWER_MAX;
}

/* A decimal number: value times ten to power. */
struct avitoi_number {
    uint64_t value;
    int power;
    unsigned last, lost; /* of the digits that were dropped: the first, and all or-ed */
};

/* Reads digits, and a point among them, and returns what follows. */
static const char *avitoi_number_digits(struct avitoi_number *n, const char *p, const char *end)
{
    int after_point = 0;
    for (; p < end && (*p | 0x20) != 'e'; p++) {
        const unsigned digit = (unsigned)avitoi_text_byte(*p) - '0';
        if (*p == '.') {
            after_point = 1;
            continue;
        }
        n->power -= after_point;
        if (!avitoi_number_push(&n->value, digit)) {
            n->lost |= digit;
            n->power++;
        }
    }
    return p;
}

/* Makes the power 0, half rounded up. False: it is too large. */
static bool avitoi_number_scale(struct avitoi_number *n)
{
    for (; n->power > 0 && avitoi_number_push(&n->value, 0); n->power--) {
    }
    for (; n->power < 0; n->power++) {
        n->last = avitoi_number_pop(&n->value);
        n->lost |= n->last;
    }
    n->value += n->last >= 5u ? 1u : 0u;
    return n->power == 0;
}

/* A JSON number, however it is written (1754916284.0, 1e9), times ten to `places`. With places it is
 * rounded half away from zero; without, it must be whole. With places, only the first
 * AVITOI_NUMBER_FRACTION_MAX bytes of a long fraction are here. That is enough unless the exponent moves
 * the point to the right. False: it does, or is too large; it is not whole; it is no int64_t. */
static bool avitoi_number_parse(const char *p, size_t len, int places, int64_t *out)
{
    struct avitoi_number n = {0, 0, 0, 0};
    const bool negative = *p == '-';
    const char *const end = p + len;
    const char *const e = avitoi_number_digits(&n, p + (negative ? 1 : 0), end);
    const int before = n.power;
    if (e < end && !avitoi_number_add_power(e + 1, end, &n.power)) {
        return false;
    }
    if (places > 0 && n.power > before && e - p >= (int)AVITOI_NUMBER_FRACTION_MAX) {
        return false;
    }
    n.power += places;
    if (!avitoi_number_scale(&n) || (places == 0 && n.lost != 0) ||
        n.value > (uint64_t)INT64_MAX + (negative ? 1u : 0u)) {
        return false;
    }
    *out = negative ? (int64_t)(0u - n.value) : (int64_t)n.value;
    return true;
}

/* -?digits, the whole of it, in the range of int64_t. */
static bool avitoi_number_parse_int(const char *p, size_t len, int64_t *out)
{
    size_t i = len > 0 && *p == '-' ? 1 : 0;
    if (i == len) {
        return false;
    }
    for (; i < len; i++) {
        if (!avitoi_number_is_digit(p[i])) {
            return false;
        }
    }
    return avitoi_number_parse(p, len, 0, out);
}

/* ======================================================================= *
 * >>24 SCHEMAS
 * ======================================================================= *
 *
 * What is known of each JSON object: one row per key. The JSON machine and the field mask go by these
 * rows. Comes in: a complete struct, to finish what rows cannot say. Goes out: tables. May not read bytes.
 *
 * X(struct, key, kind, its member, mask bits), or C(the same, child schema). A row with AVITOI_SCHEMA_SHOWN
 * among its mask bits is only shown to a person; any other row decides. What becomes of a value that does
 * not fit its row: >>10, Policies. The kinds say which JSON values fit:
 */

#define AVITOI_SCHEMA_STR    0 /* string                      -> avito_str */
#define AVITOI_SCHEMA_TEXT   1 /* string that may be cut      -> avito_str */
#define AVITOI_SCHEMA_TYPE   2 /* string that names the type of the object's TYPED row. It is the right one
                                  if it equals the only key of the child */
#define AVITOI_SCHEMA_INT    3 /* whole number, or text of it -> int64_t */
#define AVITOI_SCHEMA_BOOL   4 /* true, false                 -> bool, and the bool after it: it was there */
#define AVITOI_SCHEMA_E7     5 /* number, or text of it       -> int32_t in 1e-7 */
#define AVITOI_SCHEMA_OBJ    6 /* object                      -> pointer to the child's struct */
#define AVITOI_SCHEMA_TYPED  7 /* the same, if the TYPE is right. One that breaks before the TYPE came is left
                                  out. The member after the pointer is for the JSON of another TYPE */
#define AVITOI_SCHEMA_MAP    8 /* object with any keys        -> items, count; each item is a pair */
#define AVITOI_SCHEMA_ARR    9 /* array of objects            -> items, count */
#define AVITOI_SCHEMA_STRS  10 /* array of strings            -> items, count */
#define AVITOI_SCHEMA_ONE   11 /* array; its first string only -> avito_str */
#define AVITOI_SCHEMA_PARENTS                                                                      \
    (1u << AVITOI_SCHEMA_TYPE | 1u << AVITOI_SCHEMA_OBJ | 1u << AVITOI_SCHEMA_TYPED |              \
     1u << AVITOI_SCHEMA_MAP | 1u << AVITOI_SCHEMA_ARR) /* kinds whose rows have a child */

struct avitoi_schema_field {
#if AVITO_WITH_SHORTCUTS
    const struct avitoi_schema *child; /* as in the schema's children */
    char form[24]; /* the key as it is written: with its closing quote and the colon */
    uint32_t mask; /* a bit for each byte of form; over 16 bytes or without a key, bit 31, which matches none */
    uint16_t offset;
    uint16_t want; /* mask bits of which one must be set */
    uint8_t key_len, form_len, kind;
    bool shown;
#else
    unsigned offset : 9;
    unsigned shown : 1;
    unsigned want : 13;
    unsigned key_len : 5;
    unsigned kind : 4;
#endif
};
#define AVITOI_SCHEMA_ALWAYS 0x1000u /* in `want` of a row, and of every reader */
#define AVITOI_SCHEMA_SHOWN  0x2000u /* beside the mask bits of a row, and of no reader: it is only shown */

typedef void (*avitoi_schema_finish)(struct avitoi_json *json, void *model);

/* A schema has neighbours in memory. Before it are the children of its rows that have one, then its finish,
 * which does what a row cannot say. After it are its rows, then their keys, each ended by a NUL. */
struct avitoi_schema {
#if AVITO_WITH_SHORTCUTS
    size_t size; /* of the struct; aligned as the rows are, which follow */
#else
    uint16_t size;
#endif
    uint8_t count;
    bool finishes : 1; /* it has a finish */
    bool bare : 1;    /* as root: the answer may be the value of its first row, without the object */
    bool lenient : 1; /* a member of another type is dropped instead of refused */
};

#define AVITOI_SCHEMA_WANT_(want)                                                                  \
    (((want) & ~AVITOI_SCHEMA_SHOWN) != 0 ? (want) & ~AVITOI_SCHEMA_SHOWN : AVITOI_SCHEMA_ALWAYS)
#define AVITOI_SCHEMA_SHOWN_(want) (((want) & AVITOI_SCHEMA_SHOWN) != 0)
#define AVITOI_SCHEMA_KEY_MAX 19u /* bytes of a key: key_len, form, and AVITOI_FAST_AHEAD have room for it */

#if AVITO_WITH_SHORTCUTS
#define AVITOI_SCHEMA_FORM_LEN_(key) (sizeof(#key) > 1u ? sizeof(#key) + 1u : 0u)
#define AVITOI_SCHEMA_FORM_MASK_(len) ((len) - 1u < 16u ? (1u << ((len) & 31u)) - 1u : 1u << 31)
#define AVITOI_SCHEMA_CHILD_ROW_(M, key, kind, member, want, child)                                \
    {child, #key "\":", AVITOI_SCHEMA_FORM_MASK_(AVITOI_SCHEMA_FORM_LEN_(key)),                    \
     offsetof(M, member), AVITOI_SCHEMA_WANT_(want), sizeof(#key) - 1u,                            \
     AVITOI_SCHEMA_FORM_LEN_(key), kind, AVITOI_SCHEMA_SHOWN_(want)},
#define AVITOI_SCHEMA_ROW_(M, key, kind, member, want)                                             \
    AVITOI_SCHEMA_CHILD_ROW_(M, key, kind, member, want, NULL)
#define AVITOI_SCHEMA_ROW_LAST_ {NULL, "", 1u << 31, 0, 0, 0, 0, 0, false} /* matches no key: no end test */
#define AVITOI_SCHEMA_LAST 1u
#else
#define AVITOI_SCHEMA_CHILD_ROW_(M, key, kind, member, want, child)                                \
    AVITOI_SCHEMA_ROW_(M, key, kind, member, want)
#define AVITOI_SCHEMA_ROW_(M, key, kind, member, want)                                             \
    {offsetof(M, member), AVITOI_SCHEMA_SHOWN_(want), AVITOI_SCHEMA_WANT_(want), sizeof(#key) - 1u, kind},
#define AVITOI_SCHEMA_ROW_LAST_
#define AVITOI_SCHEMA_LAST 0u
#endif
#define AVITOI_SCHEMA_NONE_(...)
#define AVITOI_SCHEMA_CHILD_(M, key, kind, member, want, child) child,
#define AVITOI_SCHEMA_KEY_(M, key, ...) #key "\0"
#define AVITOI_SCHEMA_ROW_COUNT_(...) +1u
#define AVITOI_SCHEMA_ROW_FITS_(M, key, ...) && sizeof(#key) <= AVITOI_SCHEMA_KEY_MAX + 1u
#define AVITOI_SCHEMA_ROWS(rows) (0u rows(AVITOI_SCHEMA_ROW_COUNT_, AVITOI_SCHEMA_ROW_COUNT_, ))
#define AVITOI_SCHEMA_KEYS(rows) rows(AVITOI_SCHEMA_KEY_, AVITOI_SCHEMA_KEY_, )

/* Defines avitoi_schema_<name> of the struct `model` from the row list `rows`. Each has its own keys, so that
 * only those of linked schemas are linked. A leaf has no row with a child. */
#define AVITOI_SCHEMA(name, model, rows, bare, lenient)                                            \
    AVITOI_SCHEMA_OF_(name, model, rows, bare, lenient, false, AVITOI_SCHEMA_CHILDREN_(rows),      \
                      {rows(AVITOI_SCHEMA_NONE_, AVITOI_SCHEMA_CHILD_, )}, )
#define AVITOI_SCHEMA_FINISHED(name, model, rows, finish, bare, lenient)                           \
    AVITOI_SCHEMA_OF_(name, model, rows, bare, lenient, true,                                      \
                      AVITOI_SCHEMA_CHILDREN_(rows) avitoi_schema_finish before;,                  \
                      {rows(AVITOI_SCHEMA_NONE_, AVITOI_SCHEMA_CHILD_, )}, finish, )
#define AVITOI_SCHEMA_LEAF(name, model, rows, bare, lenient)                                       \
    AVITOI_SCHEMA_OF_(name, model, rows, bare, lenient, false, , )
#define AVITOI_SCHEMA_FINISHED_LEAF(name, model, rows, finish, bare, lenient)                      \
    AVITOI_SCHEMA_OF_(name, model, rows, bare, lenient, true, avitoi_schema_finish before;, finish, )
#define AVITOI_SCHEMA_CHILD_COUNT_(rows) (0u rows(AVITOI_SCHEMA_NONE_, AVITOI_SCHEMA_ROW_COUNT_, ))
#define AVITOI_SCHEMA_CHILDREN_(rows)                                                              \
    const struct avitoi_schema *children[AVITOI_SCHEMA_CHILD_COUNT_(rows)];
#define AVITOI_SCHEMA_OF_(name, model, rows, bare, lenient, finishes, before, ...)                 \
    AVITOI_ASSERT(name##_rows, AVITOI_SCHEMA_ROWS(rows) <= 31u && sizeof(model) <= 512u);          \
    AVITOI_ASSERT(name##_keys, true rows(AVITOI_SCHEMA_ROW_FITS_, AVITOI_SCHEMA_ROW_FITS_, ));     \
    static const struct avitoi_schema_##name##_whole {                                             \
        before struct avitoi_schema schema;                                                        \
        struct avitoi_schema_field fields[AVITOI_SCHEMA_ROWS(rows) + AVITOI_SCHEMA_LAST];          \
        char keys[sizeof(AVITOI_SCHEMA_KEYS(rows))];                                               \
    } avitoi_schema_##name = {                                                                     \
        __VA_ARGS__{(uint16_t)sizeof(model), (uint8_t)AVITOI_SCHEMA_ROWS(rows), finishes, bare, lenient}, \
        {rows(AVITOI_SCHEMA_ROW_, AVITOI_SCHEMA_CHILD_ROW_, model) AVITOI_SCHEMA_ROW_LAST_},       \
        AVITOI_SCHEMA_KEYS(rows)};                                                                 \
    AVITOI_ASSERT(name##_is_after,                                                                 \
                  offsetof(struct avitoi_schema_##name##_whole, schema) ==                         \
                      (AVITOI_SCHEMA_CHILD_COUNT_(rows) + finishes) * sizeof(void *));             \
    AVITOI_ASSERT(name##_follows, offsetof(struct avitoi_schema_##name##_whole, fields) ==         \
                                      offsetof(struct avitoi_schema_##name##_whole, schema) +      \
                                          sizeof(struct avitoi_schema))

/* Its rows. */
static const struct avitoi_schema_field *avitoi_schema_fields(const struct avitoi_schema *schema)
{
    return (const struct avitoi_schema_field *)(const void *)(schema + 1);
}

static const char *avitoi_schema_keys(const struct avitoi_schema *schema)
{
    return (const char *)(avitoi_schema_fields(schema) + schema->count + AVITOI_SCHEMA_LAST);
}

/* Whether a row has a child. */
static bool avitoi_schema_is_parent(const struct avitoi_schema_field *field)
{
    return (AVITOI_SCHEMA_PARENTS >> field->kind & 1u) != 0;
}

/* The child of a row that has one; NULL: it is of the same schema. */
static const struct avitoi_schema *avitoi_schema_child(const struct avitoi_schema *schema, unsigned row)
{
    const struct avitoi_schema *const *child = (const struct avitoi_schema *const *)(const void *)schema;
    child -= schema->finishes ? 1 : 0;
    for (; row < schema->count; row++) {
        child -= avitoi_schema_is_parent(&avitoi_schema_fields(schema)[row]) ? 1 : 0;
    }
    return *child;
}

/* Does what no row says, with a complete struct. */
static void avitoi_schema_complete(const struct avitoi_schema *schema, struct avitoi_json *json, void *model)
{
    const avitoi_schema_finish *const before = (const avitoi_schema_finish *)(const void *)schema;
    if (schema->finishes) {
        const avitoi_schema_finish finish = before[-1];
        finish(json, model);
    }
}

/* The key of a row. */
static const char *avitoi_schema_key(const struct avitoi_schema *schema, unsigned row)
{
    const char *key = avitoi_schema_keys(schema);
    unsigned i;
    for (i = 0; i < row; i++) {
        key += avitoi_schema_fields(schema)[i].key_len + 1u;
    }
    return key;
}

enum { AVITOI_SCHEMA_TYPE_UNKNOWN, AVITOI_SCHEMA_TYPE_RIGHT, AVITOI_SCHEMA_TYPE_OTHER };

/* What does a TYPE say, if its row has this child? */
static uint8_t avitoi_schema_match_type(const struct avitoi_schema *child, avito_str type)
{
    return avito_str_equal(type, avitoi_schema_keys(child)) ? AVITOI_SCHEMA_TYPE_RIGHT
                                                            : AVITOI_SCHEMA_TYPE_OTHER;
}

#define AVITOI_SCHEMA_SYSTEM_PREFIX "[Системное сообщение]"
#define AVITOI_SCHEMA_PLACEHOLDER   "Перейдите на подписку с API мессенджера"

/* ---- words of the server and their constants ---- */

/* Each list is in the order of its enum, which begins with "none" and ends with "unknown". */
#define AVITOI_SCHEMA_DIRECTIONS(X) X(IN, in) X(OUT, out)
#define AVITOI_SCHEMA_CHAT_TYPES(X) X(U2I, u2i) X(U2U, u2u) X(A2U, a2u) /* one bit each */
#define AVITOI_SCHEMA_CALL_STATUSES(X) X(MISSED, missed)
#define AVITOI_SCHEMA_LOCATION_KINDS(X) X(HOUSE, house) X(STREET, street) X(AREA, area)
AVITOI_TEXT_WORDS(avitoi_schema_message_types, AVITO_MESSAGE_TYPES);
AVITOI_TEXT_WORDS(avitoi_schema_directions, AVITOI_SCHEMA_DIRECTIONS);
AVITOI_TEXT_WORDS(avitoi_schema_chat_types, AVITOI_SCHEMA_CHAT_TYPES);
AVITOI_TEXT_WORDS(avitoi_schema_call_statuses, AVITOI_SCHEMA_CALL_STATUSES);
AVITOI_TEXT_WORDS(avitoi_schema_location_kinds, AVITOI_SCHEMA_LOCATION_KINDS);

static avito_message_type avitoi_schema_message_type(avito_str word)
{
    int number;
    if (AVITO_WITH_SHORTCUTS && AVITOI_TEXT_IS(word, "text")) { /* most are */
        return AVITO_MESSAGE_TEXT;
    }
    number = avitoi_text_word_number(&avitoi_schema_message_types, word);
    return (avito_message_type)number;
}

/* ---- maps: each member becomes a pair ---- */

#define AVITOI_SCHEMA_PAIR_ROWS(X, C, M)                                                           \
    X(M, , AVITOI_SCHEMA_STR, size, 0)                                                             \
    X(M, , AVITOI_SCHEMA_STR, url, AVITOI_SCHEMA_SHOWN)
AVITOI_SCHEMA_LEAF(pair, avito_image_size, AVITOI_SCHEMA_PAIR_ROWS, false, false);
AVITOI_ASSERT(voice_file_is_pair, sizeof(avito_voice_file) == sizeof(avito_image_size));

/* The same where the URL is what was asked for. */
#define AVITOI_SCHEMA_ASKED_PAIR_ROWS(X, C, M)                                                     \
    X(M, , AVITOI_SCHEMA_STR, size, 0)                                                             \
    X(M, , AVITOI_SCHEMA_STR, url, 0)
AVITOI_SCHEMA_LEAF(asked_pair, avito_image_size, AVITOI_SCHEMA_ASKED_PAIR_ROWS, false, false);

#define AVITOI_SCHEMA_UPLOADED_ROWS(X, C, M)                                                       \
    X(M, , AVITOI_SCHEMA_STR, image_id, 0)                                                         \
    C(M, , AVITOI_SCHEMA_MAP, sizes, 0, &avitoi_schema_asked_pair.schema)
AVITOI_SCHEMA(uploaded, avito_uploaded_image, AVITOI_SCHEMA_UPLOADED_ROWS, false, false);

/* A TYPED member that broke the model before its TYPE came points to this. */
static const char avitoi_schema_left_out = 0;

/* ---- content of a message ---- */

#define AVITOI_SCHEMA_IMAGE_ROWS(X, C, M)                                                          \
    C(M, sizes, AVITOI_SCHEMA_MAP, sizes, AVITO_MESSAGE_IMAGES | AVITOI_SCHEMA_SHOWN,              \
      &avitoi_schema_pair.schema)
AVITOI_SCHEMA(image, avito_image, AVITOI_SCHEMA_IMAGE_ROWS, false, false);

#define AVITOI_SCHEMA_PREVIEW_ROWS(X, C, M)                                                        \
    X(M, description, AVITOI_SCHEMA_TEXT, description, AVITOI_SCHEMA_SHOWN)                        \
    X(M, domain, AVITOI_SCHEMA_STR, domain, AVITOI_SCHEMA_SHOWN)                                   \
    C(M, images, AVITOI_SCHEMA_MAP, images, AVITO_MESSAGE_IMAGES | AVITOI_SCHEMA_SHOWN,            \
      &avitoi_schema_pair.schema)                                                                  \
    X(M, title, AVITOI_SCHEMA_TEXT, title, AVITOI_SCHEMA_SHOWN)                                    \
    X(M, url, AVITOI_SCHEMA_STR, url, AVITOI_SCHEMA_SHOWN)
AVITOI_SCHEMA(preview, avito_link_preview, AVITOI_SCHEMA_PREVIEW_ROWS, false, false);

#define AVITOI_SCHEMA_LINK_ROWS(X, C, M)                                                           \
    X(M, text, AVITOI_SCHEMA_TEXT, text, AVITOI_SCHEMA_SHOWN)                                      \
    X(M, url, AVITOI_SCHEMA_STR, url, AVITOI_SCHEMA_SHOWN)                                         \
    C(M, preview, AVITOI_SCHEMA_OBJ, preview, AVITOI_SCHEMA_SHOWN, &avitoi_schema_preview.schema)
AVITOI_SCHEMA(link, avito_link, AVITOI_SCHEMA_LINK_ROWS, false, false);

#define AVITOI_SCHEMA_ITEM_IMAGES_ROWS(X, C, M)                                                    \
    C(M, main, AVITOI_SCHEMA_MAP, main, AVITOI_SCHEMA_SHOWN, &avitoi_schema_pair.schema)           \
    X(M, count, AVITOI_SCHEMA_INT, count, AVITOI_SCHEMA_SHOWN)
AVITOI_SCHEMA(item_images, avito_item_images, AVITOI_SCHEMA_ITEM_IMAGES_ROWS, false, false);

/* In a notification a listing may come in the form that it has in a chat. */
struct avitoi_schema_wide_item {
    avito_item_content item;
    avito_item_images *images;
};

static void avitoi_schema_finish_item_content(struct avitoi_json *json, void *model)
{
    struct avitoi_schema_wide_item *wide = (struct avitoi_schema_wide_item *)model;
    (void)json;
    if (wide->item.image_url.ptr == NULL && wide->images != NULL && wide->images->main.count > 0) {
        wide->item.image_url = wide->images->main.items[0].url;
    }
}

#define AVITOI_SCHEMA_ITEM_CONTENT_ROWS(X, C, M)                                                   \
    X(M, image_url, AVITOI_SCHEMA_STR, item.image_url, AVITOI_SCHEMA_SHOWN)                        \
    X(M, item_url, AVITOI_SCHEMA_STR, item.item_url, AVITOI_SCHEMA_SHOWN)                          \
    X(M, price_string, AVITOI_SCHEMA_STR, item.price_string, AVITOI_SCHEMA_SHOWN)                  \
    X(M, title, AVITOI_SCHEMA_TEXT, item.title, AVITOI_SCHEMA_SHOWN)                               \
    X(M, url, AVITOI_SCHEMA_STR, item.item_url, AVITOI_SCHEMA_SHOWN)                               \
    C(M, images, AVITOI_SCHEMA_OBJ, images, AVITOI_SCHEMA_SHOWN, &avitoi_schema_item_images.schema)
AVITOI_SCHEMA_FINISHED(item_content, struct avitoi_schema_wide_item,
                       AVITOI_SCHEMA_ITEM_CONTENT_ROWS, avitoi_schema_finish_item_content, false, false);

static void avitoi_schema_finish_location(struct avitoi_json *json, void *model)
{
    avito_location *location = (avito_location *)model;
    const int kind = avitoi_text_word_number(&avitoi_schema_location_kinds, location->kind_word);
    (void)json;
    location->kind = (avito_location_kind)kind;
}

#define AVITOI_SCHEMA_LOCATION_ROWS(X, C, M)                                                       \
    X(M, kind, AVITOI_SCHEMA_STR, kind_word, AVITOI_SCHEMA_SHOWN)                                  \
    X(M, lat, AVITOI_SCHEMA_E7, lat_e7, AVITOI_SCHEMA_SHOWN)                                       \
    X(M, lon, AVITOI_SCHEMA_E7, lon_e7, AVITOI_SCHEMA_SHOWN)                                       \
    X(M, text, AVITOI_SCHEMA_TEXT, text, AVITOI_SCHEMA_SHOWN)                                      \
    X(M, title, AVITOI_SCHEMA_TEXT, title, AVITOI_SCHEMA_SHOWN)
AVITOI_SCHEMA_FINISHED_LEAF(location, avito_location, AVITOI_SCHEMA_LOCATION_ROWS,
                            avitoi_schema_finish_location, false, false);

static void avitoi_schema_finish_call(struct avitoi_json *json, void *model)
{
    avito_call *call = (avito_call *)model;
    const int status = avitoi_text_word_number(&avitoi_schema_call_statuses, call->status_word);
    (void)json;
    call->status = (avito_call_status)status;
}

#define AVITOI_SCHEMA_CALL_ROWS(X, C, M)                                                           \
    X(M, status, AVITOI_SCHEMA_STR, status_word, 0)                                                \
    X(M, target_user_id, AVITOI_SCHEMA_INT, target_user_id, 0)
AVITOI_SCHEMA_FINISHED_LEAF(call, avito_call, AVITOI_SCHEMA_CALL_ROWS, avitoi_schema_finish_call, false, false);

#define AVITOI_SCHEMA_VOICE_ROWS(X, C, M) X(M, voice_id, AVITOI_SCHEMA_STR, voice_id, 0)
AVITOI_SCHEMA_LEAF(voice, avito_voice, AVITOI_SCHEMA_VOICE_ROWS, false, false);

#define AVITOI_SCHEMA_MODEL_COUNT_(name, word) +1
#define AVITOI_SCHEMA_MODEL_FIRST (AVITO_MESSAGE_TEXT + 1)
#define AVITOI_SCHEMA_MODEL_AT(name) models[AVITO_MESSAGE_##name - AVITOI_SCHEMA_MODEL_FIRST]

/* The content object as it comes; avitoi_schema_narrow() makes the tagged union of it. */
struct avitoi_schema_wide_content {
    avito_str text, flow_id, raw;
    void *models[0 AVITO_MESSAGE_MODELS(AVITOI_SCHEMA_MODEL_COUNT_)];
};

#define AVITOI_SCHEMA_CONTENT_ROWS(X, C, M)                                                        \
    X(M, text, AVITOI_SCHEMA_TEXT, text, 0)                                                        \
    C(M, image, AVITOI_SCHEMA_OBJ, AVITOI_SCHEMA_MODEL_AT(IMAGE), 0, &avitoi_schema_image.schema)  \
    C(M, link, AVITOI_SCHEMA_OBJ, AVITOI_SCHEMA_MODEL_AT(LINK), 0, &avitoi_schema_link.schema)     \
    C(M, item, AVITOI_SCHEMA_OBJ, AVITOI_SCHEMA_MODEL_AT(ITEM), 0, &avitoi_schema_item_content.schema) \
    C(M, location, AVITOI_SCHEMA_OBJ, AVITOI_SCHEMA_MODEL_AT(LOCATION), 0, &avitoi_schema_location.schema) \
    C(M, call, AVITOI_SCHEMA_OBJ, AVITOI_SCHEMA_MODEL_AT(CALL), 0, &avitoi_schema_call.schema)     \
    C(M, voice, AVITOI_SCHEMA_OBJ, AVITOI_SCHEMA_MODEL_AT(VOICE), 0, &avitoi_schema_voice.schema)  \
    X(M, flow_id, AVITOI_SCHEMA_STR, flow_id, AVITOI_SCHEMA_SHOWN)
AVITOI_SCHEMA(content, struct avitoi_schema_wide_content, AVITOI_SCHEMA_CONTENT_ROWS, false, false);
AVITOI_ASSERT(each_model_has_a_row, /* beside text and flow_id */
              AVITOI_SCHEMA_ROWS(AVITOI_SCHEMA_CONTENT_ROWS) ==
                  2u AVITO_MESSAGE_MODELS(AVITOI_SCHEMA_MODEL_COUNT_));

/* Is there a text and nothing else? Usually there is. */
static bool avitoi_schema_content_is_text(const struct avitoi_schema_wide_content *wide)
{
    uintptr_t others = (uintptr_t)wide->flow_id.ptr;
    size_t i;
    for (i = 0; i < AVITOI_COUNT(wide->models); i++) {
        others |= (uintptr_t)wide->models[i];
    }
    return others == 0 && wide->text.ptr != NULL;
}

/* Replaces as.wide by the member that is there. The message's type only tells a system text from a person's. */
static void avitoi_schema_narrow(avito_content *out, avito_message_type type)
{
    const struct avitoi_schema_wide_content *wide =
        (const struct avitoi_schema_wide_content *)out->as.wide;
    size_t i;
    memset(out, 0, sizeof *out);
    if (wide == NULL) {
        return;
    }
    if (AVITO_WITH_SHORTCUTS && type != AVITO_MESSAGE_SYSTEM && avitoi_schema_content_is_text(wide)) {
        out->kind = AVITO_MESSAGE_TEXT;
        out->as.text = wide->text;
        return;
    }
    for (i = 0; i < AVITOI_COUNT(wide->models); i++) {
        if (wide->models[i] != NULL) {
            out->kind = (avito_message_type)(AVITOI_SCHEMA_MODEL_FIRST + (int)i);
            memcpy(&out->as, &wide->models[i], sizeof wide->models[i]);
            return;
        }
    }
    if (wide->flow_id.ptr != NULL || (wide->text.ptr != NULL && type == AVITO_MESSAGE_SYSTEM)) {
        out->kind = AVITO_MESSAGE_SYSTEM;
        out->as.system.flow_id = wide->flow_id;
        out->as.system.text = wide->text;
    } else if (wide->text.ptr != NULL) {
        out->kind = AVITO_MESSAGE_TEXT;
        out->as.text = wide->text;
    } else {
        out->as.raw = wide->raw;
    }
}

static AVITOI_INLINE avito_str avitoi_schema_content_text(const avito_content *content)
{
    static const avito_str none = {NULL, 0};
    if (content->kind == AVITO_MESSAGE_TEXT) {
        return content->as.text;
    }
    return content->kind == AVITO_MESSAGE_SYSTEM ? content->as.system.text : none;
}

/* ---- messages ---- */

static void avitoi_schema_finish_quote(struct avitoi_json *json, void *model)
{
    avito_quote *quote = (avito_quote *)model;
    (void)json;
    quote->type = avitoi_schema_message_type(quote->type_word);
    avitoi_schema_narrow(&quote->content, quote->type);
}

#define AVITOI_SCHEMA_QUOTE_ROWS(X, C, M)                                                          \
    X(M, id, AVITOI_SCHEMA_STR, id, AVITOI_SCHEMA_SHOWN)                                           \
    X(M, author_id, AVITOI_SCHEMA_INT, author_id, AVITOI_SCHEMA_SHOWN)                             \
    X(M, created, AVITOI_SCHEMA_INT, created, AVITOI_SCHEMA_SHOWN)                                 \
    X(M, type, AVITOI_SCHEMA_STR, type_word, AVITOI_SCHEMA_SHOWN)                                  \
    C(M, content, AVITOI_SCHEMA_OBJ, content.as.wide, AVITO_MESSAGE_CONTENTS | AVITOI_SCHEMA_SHOWN, \
      &avitoi_schema_content.schema)
AVITOI_SCHEMA_FINISHED(quote, avito_quote, AVITOI_SCHEMA_QUOTE_ROWS, avitoi_schema_finish_quote, false, false);

/* What message texts have shown of the account's tariff. */
enum { AVITOI_SCHEMA_TARIFF_UNKNOWN, AVITOI_SCHEMA_TARIFF_THERE, AVITOI_SCHEMA_TARIFF_MISSING };

/* What all forms of a message have in common. */
static inline void avitoi_schema_finish_any(struct avitoi_json *json, avito_message *m)
{
    int direction = (int)AVITO_DIRECTION_IN;
    if (!AVITO_WITH_SHORTCUTS || !AVITOI_TEXT_IS(m->direction_word, "in")) {
        direction = avitoi_text_word_number(&avitoi_schema_directions, m->direction_word);
    }
    m->type = avitoi_schema_message_type(m->type_word);
    m->direction = (avito_direction)direction;
    avitoi_schema_narrow(&m->content, m->type);
    m->is_cut = json->was_cut;
    json->was_cut = false;
}

/* A buyer can write any text. So only the type and the author show that the service wrote it. */
static bool avitoi_schema_is_system(const avito_message *m, avito_str text, bool from_service)
{
    if (m->type == AVITO_MESSAGE_SYSTEM || (from_service && !m->is_own)) {
        return true;
    }
    return (m->author_id == 0 || m->author_id == 1) &&
           (m->direction != AVITO_DIRECTION_OUT ||
            avitoi_text_starts(text, AVITOI_SCHEMA_SYSTEM_PREFIX));
}

/* The sentence about the tariff counts when two people seem to have written it with nothing else in
 * between: one of them may have copied it. */
static void avitoi_schema_heed_sentence(struct avitoi_json *json, const avito_message *m)
{
    if (!m->is_placeholder) {
        json->tariff = AVITOI_SCHEMA_TARIFF_THERE;
        json->sentence_by = 0;
        return;
    }
    if (json->sentence_by != 0 && json->sentence_by != (uint32_t)m->author_id) {
        json->tariff = AVITOI_SCHEMA_TARIFF_MISSING;
    }
    json->sentence_by = (uint32_t)m->author_id;
}

static void avitoi_schema_finish_message(struct avitoi_json *json, void *model)
{
    avito_message *m = (avito_message *)model;
    const int chat_type = avitoi_text_word_number(&avitoi_schema_chat_types, m->chat_type_word);
    avito_str text;
    avitoi_schema_finish_any(json, m);
    m->chat_type = (avito_chat_type)((1 << chat_type) >> 1);
    text = avitoi_schema_content_text(&m->content);
    m->is_own =
        m->direction == AVITO_DIRECTION_OUT || (m->user_id != 0 && m->author_id == m->user_id);
    m->is_system =
        avitoi_schema_is_system(m, text, json->from_service || m->chat_type == AVITO_CHAT_TYPE_A2U);
    m->is_placeholder = avitoi_text_starts(text, AVITOI_SCHEMA_PLACEHOLDER);
    if (text.ptr != NULL && !m->is_system) { /* notices of the service are never hidden */
        avitoi_schema_heed_sentence(json, m);
    }
}

#define AVITOI_SCHEMA_MESSAGE_ROWS(X, C, M)                                                        \
    X(M, id, AVITOI_SCHEMA_STR, id, 0)                                                             \
    X(M, author_id, AVITOI_SCHEMA_INT, author_id, 0)                                               \
    X(M, created, AVITOI_SCHEMA_INT, created, 0)                                                   \
    C(M, content, AVITOI_SCHEMA_OBJ, content.as.wide, AVITO_MESSAGE_CONTENTS, &avitoi_schema_content.schema) \
    X(M, type, AVITOI_SCHEMA_STR, type_word, 0)                                                    \
    X(M, direction, AVITOI_SCHEMA_STR, direction_word, 0)                                          \
    X(M, delivered, AVITOI_SCHEMA_INT, delivered, 0)                                               \
    X(M, is_read, AVITOI_SCHEMA_BOOL, is_read, 0)                                                  \
    X(M, read, AVITOI_SCHEMA_INT, read, 0)                                                         \
    C(M, quote, AVITOI_SCHEMA_OBJ, quote, AVITO_MESSAGE_QUOTES | AVITOI_SCHEMA_SHOWN,              \
      &avitoi_schema_quote.schema)                                                                 \
    X(M, chat_id, AVITOI_SCHEMA_STR, chat_id, 0)                                                   \
    X(M, user_id, AVITOI_SCHEMA_INT, user_id, 0)                                                   \
    X(M, chat_type, AVITOI_SCHEMA_STR, chat_type_word, 0)                                          \
    X(M, item_id, AVITOI_SCHEMA_INT, item_id, 0)                                                   \
    X(M, published_at, AVITOI_SCHEMA_STR, published_at, AVITOI_SCHEMA_SHOWN)
AVITOI_SCHEMA_FINISHED(message, avito_message, AVITOI_SCHEMA_MESSAGE_ROWS,
                       avitoi_schema_finish_message, false, false);

/* The answer to a send. It holds only what can be sent: a program that only sends links nothing else. */
#define AVITOI_SCHEMA_SENT_CONTENT_ROWS(X, C, M)                                                   \
    X(M, text, AVITOI_SCHEMA_TEXT, text, AVITOI_SCHEMA_SHOWN)                                      \
    C(M, image, AVITOI_SCHEMA_OBJ, AVITOI_SCHEMA_MODEL_AT(IMAGE), AVITOI_SCHEMA_SHOWN,             \
      &avitoi_schema_image.schema)
AVITOI_SCHEMA(sent_content, struct avitoi_schema_wide_content, AVITOI_SCHEMA_SENT_CONTENT_ROWS, false, false);

/* The service names no author, and the description's sample says "in" of what was sent. */
static void avitoi_schema_finish_sent(struct avitoi_json *json, void *model)
{
    avito_message *m = (avito_message *)model;
    avitoi_schema_finish_any(json, m);
    m->is_own = true;
    if (m->id.ptr != NULL) { /* else it would have been refused */
        json->tariff = AVITOI_SCHEMA_TARIFF_THERE;
    }
}

#define AVITOI_SCHEMA_SENT_ROWS(X, C, M)                                                           \
    X(M, id, AVITOI_SCHEMA_STR, id, 0)                                                             \
    X(M, author_id, AVITOI_SCHEMA_INT, author_id, AVITOI_SCHEMA_SHOWN)                             \
    X(M, created, AVITOI_SCHEMA_INT, created, AVITOI_SCHEMA_SHOWN)                                 \
    C(M, content, AVITOI_SCHEMA_OBJ, content.as.wide, AVITOI_SCHEMA_SHOWN, &avitoi_schema_sent_content.schema) \
    X(M, type, AVITOI_SCHEMA_STR, type_word, AVITOI_SCHEMA_SHOWN)                                  \
    X(M, direction, AVITOI_SCHEMA_STR, direction_word, AVITOI_SCHEMA_SHOWN)
AVITOI_SCHEMA_FINISHED(sent, avito_message, AVITOI_SCHEMA_SENT_ROWS, avitoi_schema_finish_sent, false, false);

/* ======================================================================= *
 * >>25 SCHEMAS: CHATS TO REPLIES
 * ======================================================================= *
 *
 * The same for chats, for the roots of answers, and for refusals. Comes in: a complete struct, to finish
 * what rows cannot say. Goes out: tables. May not read bytes.
 */

/* ---- chats ---- */

#define AVITOI_SCHEMA_AVATAR_ROWS(X, C, M)                                                         \
    X(M, default, AVITOI_SCHEMA_STR, default_url, AVITOI_SCHEMA_SHOWN)                             \
    C(M, images, AVITOI_SCHEMA_MAP, images, AVITOI_SCHEMA_SHOWN, &avitoi_schema_pair.schema)
AVITOI_SCHEMA(avatar, avito_avatar, AVITOI_SCHEMA_AVATAR_ROWS, false, false);

#define AVITOI_SCHEMA_PROFILE_ROWS(X, C, M)                                                        \
    X(M, user_id, AVITOI_SCHEMA_INT, user_id, AVITOI_SCHEMA_SHOWN)                                 \
    X(M, item_id, AVITOI_SCHEMA_INT, item_id, AVITOI_SCHEMA_SHOWN)                                 \
    C(M, avatar, AVITOI_SCHEMA_OBJ, avatar, AVITO_CHAT_AVATARS | AVITOI_SCHEMA_SHOWN,              \
      &avitoi_schema_avatar.schema)                                                                \
    X(M, url, AVITOI_SCHEMA_STR, url, AVITOI_SCHEMA_SHOWN)
AVITOI_SCHEMA(profile, avito_profile, AVITOI_SCHEMA_PROFILE_ROWS, false, false);

#define AVITOI_SCHEMA_USER_ROWS(X, C, M)                                                           \
    X(M, id, AVITOI_SCHEMA_INT, id, AVITOI_SCHEMA_SHOWN) /* the description warns of a hash here */ \
    X(M, name, AVITOI_SCHEMA_STR, name, AVITOI_SCHEMA_SHOWN)                                       \
    X(M, parsing_allowed, AVITOI_SCHEMA_BOOL, parsing_allowed, AVITOI_SCHEMA_SHOWN)                \
    C(M, public_user_profile, AVITOI_SCHEMA_OBJ, public_user_profile,                              \
      AVITO_CHAT_PROFILES | AVITOI_SCHEMA_SHOWN,                                                   \
      &avitoi_schema_profile.schema)
AVITOI_SCHEMA(user, avito_user, AVITOI_SCHEMA_USER_ROWS, false, false);

#define AVITOI_SCHEMA_ITEM_LOCATION_ROWS(X, C, M)                                                  \
    X(M, title, AVITOI_SCHEMA_STR, title, AVITOI_SCHEMA_SHOWN)                                     \
    X(M, lat, AVITOI_SCHEMA_E7, lat_e7, AVITOI_SCHEMA_SHOWN)                                       \
    X(M, lon, AVITOI_SCHEMA_E7, lon_e7, AVITOI_SCHEMA_SHOWN)
AVITOI_SCHEMA_LEAF(item_location, avito_item_location, AVITOI_SCHEMA_ITEM_LOCATION_ROWS, false, false);

#define AVITOI_SCHEMA_ITEM_ROWS(X, C, M)                                                           \
    X(M, id, AVITOI_SCHEMA_INT, id, 0)                                                             \
    X(M, title, AVITOI_SCHEMA_STR, title, AVITOI_SCHEMA_SHOWN)                                     \
    X(M, user_id, AVITOI_SCHEMA_INT, user_id, 0)                                                   \
    C(M, images, AVITOI_SCHEMA_OBJ, images, AVITOI_SCHEMA_SHOWN, &avitoi_schema_item_images.schema) \
    X(M, status_id, AVITOI_SCHEMA_INT, status_id, 0)                                               \
    X(M, price_string, AVITOI_SCHEMA_STR, price_string, AVITOI_SCHEMA_SHOWN)                       \
    X(M, url, AVITOI_SCHEMA_STR, url, AVITOI_SCHEMA_SHOWN)                                         \
    C(M, location, AVITOI_SCHEMA_OBJ, location, AVITOI_SCHEMA_SHOWN, &avitoi_schema_item_location.schema)
AVITOI_SCHEMA(item, avito_item, AVITOI_SCHEMA_ITEM_ROWS, false, false);

static void avitoi_schema_finish_context(struct avitoi_json *json, void *model)
{
    avito_context *context = (avito_context *)model;
    (void)json;
    if (!avito_str_equal(context->type, "item") ||
        (const void *)context->item == &avitoi_schema_left_out) {
        context->item = NULL;
    }
}

#define AVITOI_SCHEMA_ITEM_TYPE_ROWS(X, C, M) X(M, item, AVITOI_SCHEMA_STR, ptr, 0)
AVITOI_SCHEMA_LEAF(item_type, avito_str, AVITOI_SCHEMA_ITEM_TYPE_ROWS, false, false);

#define AVITOI_SCHEMA_CONTEXT_ROWS(X, C, M)                                                        \
    C(M, type, AVITOI_SCHEMA_TYPE, type, 0, &avitoi_schema_item_type.schema)                       \
    C(M, value, AVITOI_SCHEMA_TYPED, item, 0, &avitoi_schema_item.schema)
AVITOI_SCHEMA_FINISHED(context, avito_context, AVITOI_SCHEMA_CONTEXT_ROWS,
                       avitoi_schema_finish_context, false, false);

/* A chat of the service's own, as its id says. */
static bool avitoi_schema_is_of_service(avito_str chat_id)
{
    return avitoi_text_starts(chat_id, "a2u-");
}

static void avitoi_schema_finish_chat(struct avitoi_json *json, void *model)
{
    const avito_chat *chat = (const avito_chat *)model;
    (void)json;
    if (chat->last_message != NULL && avitoi_schema_is_of_service(chat->id)) {
        chat->last_message->is_system = !chat->last_message->is_own;
    }
}

#define AVITOI_SCHEMA_CHAT_ROWS(X, C, M)                                                           \
    X(M, id, AVITOI_SCHEMA_STR, id, 0)                                                             \
    C(M, context, AVITOI_SCHEMA_OBJ, context, AVITO_CHAT_CONTEXT | AVITOI_SCHEMA_SHOWN,            \
      &avitoi_schema_context.schema)                                                               \
    X(M, created, AVITOI_SCHEMA_INT, created, 0)                                                   \
    X(M, updated, AVITOI_SCHEMA_INT, updated, 0)                                                   \
    C(M, users, AVITOI_SCHEMA_ARR, users, AVITO_CHAT_USERS, &avitoi_schema_user.schema)            \
    C(M, last_message, AVITOI_SCHEMA_OBJ, last_message, AVITO_CHAT_LAST_MESSAGE, &avitoi_schema_message.schema)
AVITOI_SCHEMA_FINISHED(chat, avito_chat, AVITOI_SCHEMA_CHAT_ROWS, avitoi_schema_finish_chat, false, false);

/* ---- lists: the first row is the list itself ---- */

struct avitoi_schema_meta {
    bool has_more, has_has_more;
};

#define AVITOI_SCHEMA_META_ROWS(X, C, M) X(M, has_more, AVITOI_SCHEMA_BOOL, has_more, 0)
AVITOI_SCHEMA_LEAF(meta, struct avitoi_schema_meta, AVITOI_SCHEMA_META_ROWS, false, false);

/* Any items and count of the interface. */
struct avitoi_schema_items {
    void *items;
    size_t count;
};

/* The root of every list. `items` is not filled while the list streams. */
struct avitoi_schema_list {
    struct avitoi_schema_items items;
    struct avitoi_schema_meta *meta;
};

#define AVITOI_SCHEMA_CHATS_ROWS(X, C, M)                                                          \
    C(M, chats, AVITOI_SCHEMA_ARR, items, 0, &avitoi_schema_chat.schema)                           \
    C(M, meta, AVITOI_SCHEMA_OBJ, meta, 0, &avitoi_schema_meta.schema)
AVITOI_SCHEMA(chats, struct avitoi_schema_list, AVITOI_SCHEMA_CHATS_ROWS, false, false);

#define AVITOI_SCHEMA_MESSAGES_ROWS(X, C, M)                                                       \
    C(M, messages, AVITOI_SCHEMA_ARR, items, 0, &avitoi_schema_message.schema)                     \
    C(M, meta, AVITOI_SCHEMA_OBJ, meta, 0, &avitoi_schema_meta.schema)
AVITOI_SCHEMA(messages, struct avitoi_schema_list, AVITOI_SCHEMA_MESSAGES_ROWS, true, false);

#define AVITOI_SCHEMA_UPLOADS_ROWS(X, C, M) C(M, , AVITOI_SCHEMA_MAP, items, 0, &avitoi_schema_uploaded.schema)
AVITOI_SCHEMA(uploads, struct avitoi_schema_list, AVITOI_SCHEMA_UPLOADS_ROWS, true, false);

#define AVITOI_SCHEMA_VOICES_ROWS(X, C, M)                                                         \
    C(M, voices_urls, AVITOI_SCHEMA_MAP, items, 0, &avitoi_schema_asked_pair.schema)
AVITOI_SCHEMA(voices, struct avitoi_schema_list, AVITOI_SCHEMA_VOICES_ROWS, false, false);

#define AVITOI_SCHEMA_SUBSCRIPTION_ROWS(X, C, M)                                                   \
    X(M, url, AVITOI_SCHEMA_STR, url, 0)                                                           \
    X(M, version, AVITOI_SCHEMA_STR, version, AVITOI_SCHEMA_SHOWN)
AVITOI_SCHEMA_LEAF(subscription, avito_subscription, AVITOI_SCHEMA_SUBSCRIPTION_ROWS, false, false);

#define AVITOI_SCHEMA_SUBSCRIPTIONS_ROWS(X, C, M)                                                  \
    C(M, subscriptions, AVITOI_SCHEMA_ARR, items, 0, &avitoi_schema_subscription.schema)
AVITOI_SCHEMA(subscriptions, struct avitoi_schema_list, AVITOI_SCHEMA_SUBSCRIPTIONS_ROWS, false, false);

/* ---- account, token ---- */

#define AVITOI_SCHEMA_SELF_ROWS(X, C, M)                                                           \
    X(M, id, AVITOI_SCHEMA_INT, id, 0)                                                             \
    X(M, email, AVITOI_SCHEMA_STR, email, AVITOI_SCHEMA_SHOWN)                                     \
    X(M, name, AVITOI_SCHEMA_STR, name, AVITOI_SCHEMA_SHOWN)                                       \
    X(M, phone, AVITOI_SCHEMA_STR, phone, AVITOI_SCHEMA_SHOWN)                                     \
    X(M, phones, AVITOI_SCHEMA_STRS, phones, AVITOI_SCHEMA_SHOWN)                                  \
    X(M, profile_url, AVITOI_SCHEMA_STR, profile_url, AVITOI_SCHEMA_SHOWN)
AVITOI_SCHEMA_LEAF(self, avito_self, AVITOI_SCHEMA_SELF_ROWS, false, false);

/* Some refusals of the token service come with status 200. */
struct avitoi_schema_token_answer {
    avito_token token;
    avito_str error;
};

#define AVITOI_SCHEMA_TOKEN_ROWS(X, C, M)                                                          \
    X(M, access_token, AVITOI_SCHEMA_STR, token.access_token, 0)                                   \
    X(M, expires_in, AVITOI_SCHEMA_INT, token.expires_in, 0)                                       \
    X(M, token_type, AVITOI_SCHEMA_STR, token.token_type, AVITOI_SCHEMA_SHOWN)                     \
    X(M, refresh_token, AVITOI_SCHEMA_STR, token.refresh_token, 0)                                 \
    X(M, scope, AVITOI_SCHEMA_TEXT, token.scope, AVITOI_SCHEMA_SHOWN)                              \
    X(M, error, AVITOI_SCHEMA_STR, error, AVITOI_SCHEMA_SHOWN)
AVITOI_SCHEMA_LEAF(token, struct avitoi_schema_token_answer, AVITOI_SCHEMA_TOKEN_ROWS, false, false);

/* ---- replies: what a refusal says, and the answers that only confirm ----
 *
 * One lenient schema for all the forms that a refusal has been seen in, for {"ok":true}, and for the
 * id of a message that was sent. */

/* An `error` in it is another one of these. */
struct avitoi_schema_reason {
    int64_t code;
    avito_str message;
    struct avitoi_schema_reason *error;
    bool status, has_status;
};

#define AVITOI_SCHEMA_REASON_ROWS(X, C, M)                                                         \
    X(M, code, AVITOI_SCHEMA_INT, code, 0)                                                         \
    X(M, message, AVITOI_SCHEMA_TEXT, message, 0)                                                  \
    X(M, messages, AVITOI_SCHEMA_ONE, message, 0)                                                  \
    X(M, error, AVITOI_SCHEMA_TEXT, message, 0)                                                    \
    C(M, , AVITOI_SCHEMA_OBJ, error, 0, NULL)                                                      \
    X(M, status, AVITOI_SCHEMA_BOOL, status, 0)
AVITOI_SCHEMA(reason, struct avitoi_schema_reason, AVITOI_SCHEMA_REASON_ROWS, false, true);

struct avitoi_schema_reply {
    avito_str id;
    bool ok, has_ok;
    int64_t code;
    avito_str error_word, message;
    struct avitoi_schema_reason *error;
    struct avitoi_schema_reason *result;
};

#define AVITOI_SCHEMA_REPLY_ROWS(X, C, M)                                                          \
    X(M, id, AVITOI_SCHEMA_STR, id, 0)                                                             \
    X(M, ok, AVITOI_SCHEMA_BOOL, ok, 0)                                                            \
    X(M, code, AVITOI_SCHEMA_INT, code, 0)                                                         \
    X(M, message, AVITOI_SCHEMA_TEXT, message, 0)                                                  \
    X(M, error, AVITOI_SCHEMA_TEXT, error_word, 0)                                                 \
    C(M, , AVITOI_SCHEMA_OBJ, error, 0, &avitoi_schema_reason.schema)                              \
    X(M, error_description, AVITOI_SCHEMA_TEXT, message, 0)                                        \
    C(M, result, AVITOI_SCHEMA_OBJ, result, 0, &avitoi_schema_reason.schema)                       \
    X(M, errors, AVITOI_SCHEMA_ONE, error_word, 0)
AVITOI_SCHEMA(reply, struct avitoi_schema_reply, AVITOI_SCHEMA_REPLY_ROWS, false, true);

/* ======================================================================= *
 * >>26 JSON: WHAT IS OPEN
 * ======================================================================= *
 *
 * Memory and frames: where a value goes, and what happens when an object, a list or an element ends. Comes
 * in: keys and complete values. Goes out: filled structs; an element, or what breaks the model. May not
 * look at the bytes of the body.
 */

enum {
    AVITOI_JSON_AT_VALUE,   /* before a value */
    AVITOI_JSON_AT_VALUE_OR_END,
    AVITOI_JSON_AT_KEY,     /* before a key */
    AVITOI_JSON_AT_KEY_OR_END,
    AVITOI_JSON_AT_COLON,
    AVITOI_JSON_AT_AFTER,   /* after a value: a comma, or the end. Blanks are allowed in all states so far */
    AVITOI_JSON_AT_STRING,
    AVITOI_JSON_AT_ESCAPE,  /* after a backslash */
    AVITOI_JSON_AT_HEX,     /* in the digits of \uXXXX */
    AVITOI_JSON_AT_LITERAL, /* in true, false or null */
    AVITOI_JSON_AT_MINUS,   /* in a number, from here on; each has a row in avitoi_json_number_next() */
    AVITOI_JSON_AT_ZERO,
    AVITOI_JSON_AT_INT,
    AVITOI_JSON_AT_POINT,
    AVITOI_JSON_AT_FRACTION,
    AVITOI_JSON_AT_EXP,
    AVITOI_JSON_AT_EXP_SIGN,
    AVITOI_JSON_AT_EXP_DIGITS,
    AVITOI_JSON_AT_DONE,    /* after the root: only blanks */
    AVITOI_JSON_AT_BROKEN
};

/* What the machine's functions return: AVITO_AGAIN (go on), an error, which breaks it, or one of these, which
 * no caller of the library ever sees. At the end of a value avitoi_json_feed() acts, not the value's
 * reader: so their stacks do not add up. */
typedef int avitoi_json_result;
#define AVITOI_JSON_VALUE   16 /* a value is complete */
#define AVITOI_JSON_ELEMENT 17 /* an element of the list is in `out` */
#define AVITOI_JSON_UNKNOWN 18 /* what comes next is known to no model, and j->raw keeps it */

/* Linked, through j->raw, only by programs that keep what no model knows. */
struct avitoi_json_raw {
    avitoi_json_result (*unknown)(const struct avitoi_json *j); /* AVITOI_JSON_UNKNOWN, or AVITO_AGAIN */
    avitoi_json_result (*feed)(struct avitoi_json *j, const char *data, size_t len, size_t *used);
};

#define AVITOI_JSON_MAX_DEPTH 32u
#define AVITOI_JSON_KEY       30u /* the kind of a string that is a key */
#define AVITOI_JSON_NO_KIND   31u /* of what is only checked */
#define AVITOI_JSON_LAST_FIELD 31u /* a row that no schema has: after it comes row 0 */
#define AVITOI_JSON_NO_FIELD   32u /* with it: the value is only checked */

/* Notes that the stacks have grown; from the first time that they do not fit, nothing is stored. */
static inline bool avitoi_json_fits(struct avitoi_json *j)
{
    struct avitoi_arena_ends *mem = &j->mem;
    const size_t sum = mem->low + mem->high;
    if (sum > mem->peak) {
        mem->peak = sum;
    }
    if (sum > mem->low_cap) {
        j->measuring = true;
    }
    return !j->measuring;
}

/* Takes `n` aligned bytes at the low end; NULL when they are only counted. */
static inline char *avitoi_json_low(struct avitoi_json *j, size_t n)
{
    const size_t at = avitoi_arena_align(j->mem.low);
    j->mem.low = at + n;
    return avitoi_json_fits(j) ? j->mem.low_base + at : NULL;
}

AVITOI_APART_IF_SMALL static char *avitoi_json_high(struct avitoi_json *j, size_t n)
{
    j->mem.high += n;
    return avitoi_json_fits(j) ? j->mem.high_end - j->mem.high : NULL;
}

/* ---- the object on top ---- */

/* The list whose elements are given one by one, or collected. */
static bool avitoi_json_at_list(const struct avitoi_json *j)
{
    return j->list != NULL && j->level == 2;
}

/* Takes frames off. */
static inline void avitoi_json_close_to(struct avitoi_json *j, unsigned level)
{
    j->level = (uint8_t)level;
    if (level > 0) {
        j->top = &j->as.frames[level - 1u];
    }
}

/* Puts a value into the object of the frame `f`: that of the row f->field. */
static inline void avitoi_json_store(const struct avitoi_json *j, const struct avitoi_json_frame *f,
                                     const void *value, size_t size)
{
    if (!j->measuring) {
        /* The open pair is the last thing at the high end. */
        char *const model = f->kind == AVITOI_SCHEMA_MAP ? j->mem.high_end - j->mem.high : f->at.model;
        memcpy(model + avitoi_schema_fields(f->schema)[f->field].offset, value, size);
    }
}

/* true or false. The one beside the elements of a list says whether the server has more of them. It is noted
 * in j->more, which needs no memory: the last element may have left none. */
static void avitoi_json_add_bool(struct avitoi_json *j, const struct avitoi_json_frame *f, bool yes)
{
    const bool pair[2] = {yes, true};
    if (avitoi_json_at_list(j)) {
        j->more = yes ? 1 : -1;
    }
    avitoi_json_store(j, f, pair, sizeof pair);
}

/* A string, or the items and the count of a list: both are a pointer and a number. */
static void avitoi_json_add_ref(const struct avitoi_json *j, const struct avitoi_json_frame *f,
                                const char *ptr, size_t len)
{
    avito_str s;
    s.ptr = ptr;
    s.len = len;
    avitoi_json_store(j, f, &s, sizeof s);
}

/* ---- frames ---- */

/* The struct of an object of the schema on top, at one of the ends; NULL when it is only counted. */
AVITOI_APART_IF_SMALL static char *avitoi_json_struct(struct avitoi_json *j, bool high)
{
    const size_t size = j->top->schema->size;
    char *const model = high ? avitoi_json_high(j, avitoi_arena_align(size)) : avitoi_json_low(j, size);
    if (model != NULL) {
        memset(model, 0, size);
    }
    return model;
}

/* Opens an object or a list of known schema. An object's struct begins with zeros, at the low end if it
 * is a member, at the high end if it is an element or the caller's own; a list only notes how far the
 * high end was taken. */
static inline avitoi_json_result avitoi_json_open(struct avitoi_json *j, unsigned kind,
                                                  const struct avitoi_schema *schema)
{
    struct avitoi_json_frame *f = &j->as.frames[j->level];
    if (j->level >= AVITOI_JSON_LEVELS) {
        return AVITO_ERR_JSON_DEPTH;
    }
    if (schema == NULL) { /* that of the object around it; a list of strings needs none */
        schema = j->top->schema;
    }
    j->level++;
    j->top = f;
    f->schema = schema;
    f->seen = 0;
    f->kind = (uint8_t)kind;
    f->field = AVITOI_JSON_NO_FIELD | AVITOI_JSON_LAST_FIELD;
    f->type = AVITOI_SCHEMA_TYPE_UNKNOWN;
    if (kind > AVITOI_SCHEMA_TYPED) {
        f->at.high_before = j->mem.high;
        return AVITO_AGAIN;
    }
    f->high = (j->level == 1) ? j->out != NULL && j->list == NULL : f[-1].kind > AVITOI_SCHEMA_TYPED;
    f->at.model = avitoi_json_struct(j, f->high);
    return AVITO_AGAIN;
}

/* Is it the first member of an element of the list that streams? That is its id. */
static bool avitoi_json_at_id(const struct avitoi_json *j)
{
    return j->list != NULL && j->level == (j->as.frames[1].kind == AVITOI_SCHEMA_MAP ? 2u : 3u) &&
           j->top->field == 0;
}

/* Is the object at this level, which has a parent, the value of a TYPED row whose TYPE has not come yet? */
static bool avitoi_json_on_trial(const struct avitoi_json *j, unsigned level)
{
    const struct avitoi_json_frame *parent = &j->as.frames[level - 2u];
    return parent->kind == AVITOI_SCHEMA_OBJ &&
           avitoi_schema_fields(parent->schema)[parent->field].kind == AVITOI_SCHEMA_TYPED &&
           parent->type == AVITOI_SCHEMA_TYPE_UNKNOWN;
}

/* Gives up the objects and lists from `level` on: their other members are only checked. */
static void avitoi_json_give_up(struct avitoi_json *j, unsigned level)
{
    while (j->level >= level) {
        if (j->top->kind > AVITOI_SCHEMA_TYPED) {
            j->mem.high = j->top->at.high_before;
        }
        j->skip++;
        avitoi_json_close_to(j, j->level - 1u);
    }
}

/* ---- the list that streams ----
 *
 * Only lists link this: by j->list. */

struct avitoi_json_list {
    void (*begins)(struct avitoi_json *j); /* an element */
    void (*done)(struct avitoi_json *j, const char *model); /* it is complete */
    void (*skip_element)(struct avitoi_json *j, int code); /* it breaks the model: the rest is only checked */
    uint16_t history; /* bytes at the arena's beginning that remember the rows of the pages before */
};

static void avitoi_json_element_begins(struct avitoi_json *j)
{
    if (!j->collect) {
        j->mem.low = j->element_low;
        j->mem.peak = 0;
        j->measuring = false;
        (void)avitoi_json_fits(j); /* even the answer around the list may be too large */
    }
    j->element_low = j->mem.low;
    j->page_rows = (uint16_t)(j->page_rows + (j->page_rows < UINT16_MAX ? 1u : 0u));
    j->id.ptr = NULL;
    j->id.len = 0;
    j->was_cut = false;
}

/* Gives back the memory of the element that is being read, in the list that streams. The elements that were
 * collected before it stay. */
static void avitoi_json_forget_element(struct avitoi_json *j, const struct avitoi_json_frame *list)
{
    j->mem.high = list->at.high_before;
    if (j->collect) {
        j->mem.low = j->element_low;
        j->mem.high += list->seen * avitoi_arena_align(list->schema->size);
    }
}

static void avitoi_json_skip_element(struct avitoi_json *j, int code)
{
    j->bad = (int16_t)code;
    avitoi_json_close_to(j, 2);
    j->top->field = AVITOI_JSON_NO_FIELD; /* of a map: no pair is open */
    avitoi_json_forget_element(j, j->top);
    j->skip = (uint8_t)(j->depth - j->list_depth);
}

/* An element of the list that streams is complete. It goes to the caller, unless all are collected: then
 * it stays where it is. */
static void avitoi_json_element_done(struct avitoi_json *j, const char *model)
{
    j->rows++;
    j->top->seen++;
    if (j->collect) {
        return;
    }
    j->mem.high -= avitoi_arena_align(j->top->schema->size);
    if (!j->measuring) {
        memcpy(j->out, model, j->top->schema->size);
    }
    j->event = (int16_t)(j->measuring ? (int)AVITO_ERR_ARENA : AVITOI_JSON_ELEMENT);
}

static const struct avitoi_json_list avitoi_json_streams = {
    avitoi_json_element_begins, avitoi_json_element_done, avitoi_json_skip_element, 0};

/* Something breaks the model. An object whose type is not known yet is left out. After an element the list
 * goes on. Anything else breaks the answer. */
static avitoi_json_result avitoi_json_bad(struct avitoi_json *j, int code, const char *culprit)
{
    unsigned level = j->level;
    (void)avitoi_json_fits(j); /* counts its strings, before they are forgotten */
    while (level > 1 && !avitoi_json_on_trial(j, level)) {
        level--;
    }
    if (level > 1) {
        const void *left_out = &avitoi_schema_left_out;
        avitoi_json_give_up(j, level);
        avitoi_json_store(j, j->top, &left_out, sizeof left_out);
        return AVITO_AGAIN;
    }
    j->culprit = (j->skipped > 0) ? j->culprit : culprit;
    if (j->list == NULL || j->level < 2 || j->as.frames[1].kind <= AVITOI_SCHEMA_TYPED ||
        (j->collect && j->as.frames[0].schema->count < 2)) {
        return code;
    }
    j->list->skip_element(j, code);
    return AVITO_AGAIN;
}

/* ---- the end of containers ---- */

/* The root is complete. */
static void avitoi_json_root_done(struct avitoi_json *j, const struct avitoi_json_frame *f)
{
    if (!f->high) {
        j->out = f->at.model;
        return;
    }
    if (!j->measuring) {
        memcpy(j->out, f->at.model, f->schema->size);
    }
}

/* The object on top is complete: its container gets it. */
static void avitoi_json_close_object(struct avitoi_json *j)
{
    const struct avitoi_json_frame *f = j->top;
    struct avitoi_json_frame *parent;
    if (avitoi_json_fits(j)) { /* its strings are counted by now */
        avitoi_schema_complete(f->schema, j, f->at.model);
    }
    avitoi_json_close_to(j, j->level - 1u);
    if (j->level == 0) {
        avitoi_json_root_done(j, f);
        return;
    }
    parent = j->top;
    if (parent->kind == AVITOI_SCHEMA_OBJ) {
        avitoi_json_store(j, parent, &f->at.model, sizeof f->at.model);
        return;
    }
    if (avitoi_json_at_list(j)) {
        j->list->done(j, f->at.model);
    } else {
        parent->seen++;
    }
}

/* Moves the elements of a list, which lie in reverse order before `from`, into one array. */
static void avitoi_json_reverse(char *items, const char *from, size_t count, size_t size)
{
    for (; count > 0; count--, items += size) {
        from -= avitoi_arena_align(size);
        if (AVITO_WITH_SHORTCUTS && size == sizeof(avito_image_size)) { /* most are; copied without a call */
            memcpy(items, from, sizeof(avito_image_size));
        } else {
            memcpy(items, from, size);
        }
    }
}

/* The elements move from the high end to the low end; those of the list that streams are not there,
 * or stay. */
AVITOI_APART_IF_SMALL static void avitoi_json_close_list(struct avitoi_json *j)
{
    const struct avitoi_json_frame *f = j->top;
    const bool strings = f->kind == AVITOI_SCHEMA_STRS || f->kind == AVITOI_SCHEMA_ONE;
    const size_t size = strings ? sizeof(avito_str) : f->schema->size;
    const size_t count = f->seen;
    char *items = NULL;
    if (!avitoi_json_at_list(j)) {
        items = (count > 0) ? avitoi_json_low(j, count * size) : NULL;
        if (items != NULL) {
            avitoi_json_reverse(items, j->mem.high_end - f->at.high_before, count, size);
        }
        j->mem.high = f->at.high_before;
    }
    avitoi_json_close_to(j, j->level - 1u);
    if (f->kind != AVITOI_SCHEMA_ONE) {
        avitoi_json_add_ref(j, j->top, items, count);
    } else if (items != NULL) {
        avito_str first;
        memcpy(&first, items, sizeof first);
        avitoi_json_add_ref(j, j->top, first.ptr, first.len);
    }
}

/* At the byte that closes a container. What is open and known gets its end; of the rest only the depth is
 * kept. */
static avitoi_json_result avitoi_json_close(struct avitoi_json *j, char c)
{
    const bool is_object = ((j->is_object >> (j->depth - 1u)) & 1u) != 0;
    if (is_object != (c == '}')) {
        return AVITO_ERR_JSON;
    }
    j->depth--;
    j->hollow = false;
    if (j->skip > 0) {
        j->skip--;
        return AVITOI_JSON_VALUE;
    }
    if (j->top->kind == AVITOI_SCHEMA_OBJ) {
        avitoi_json_close_object(j);
    } else {
        avitoi_json_close_list(j);
        if (j->depth == 0) { /* the list was the whole answer, without its root object */
            avitoi_json_close_object(j);
        }
    }
    return AVITOI_JSON_VALUE;
}

/* ---- the end of any value ---- */

/* A value in a map is complete, and with it the pair, unless that was skipped. */
static void avitoi_json_pair_done(struct avitoi_json *j, struct avitoi_json_frame *map)
{
    if (map->field >= AVITOI_JSON_NO_FIELD) {
        return;
    }
    map->field = AVITOI_JSON_NO_FIELD;
    if (avitoi_json_at_list(j)) {
        j->list->done(j, j->mem.high_end - j->mem.high);
    } else {
        map->seen++;
    }
}

/* After any value, known or not: a pair of a map is complete with its value, and an element that broke
 * the model is reported, or counted where the list is collected. */
static void avitoi_json_value_done(struct avitoi_json *j)
{
    j->state = (j->depth > 0) ? AVITOI_JSON_AT_AFTER : AVITOI_JSON_AT_DONE;
    if (j->skip > 0) {
        return;
    }
    if (j->level > 0 && j->top->kind == AVITOI_SCHEMA_MAP) {
        avitoi_json_pair_done(j, j->top);
    }
    if (j->bad != 0 && j->collect) {
        j->skipped++;
        j->bad = 0;
    } else if (j->bad != 0) {
        j->event = j->bad;
        j->bad = 0;
        j->rows++;
    }
}

/* Is the string or number that is read kept as text? */
static bool avitoi_json_keeps_text(const struct avitoi_json *j)
{
    return j->kind <= AVITOI_SCHEMA_TYPE;
}

/* Is it gathered in j->word: a key, or a number? */
static bool avitoi_json_is_word(const struct avitoi_json *j)
{
    return j->kind > AVITOI_SCHEMA_TYPE && j->kind < AVITOI_JSON_NO_KIND;
}

/* Where the low end ends. */
static size_t avitoi_json_limit(const struct avitoi_json *j)
{
    return j->mem.low_cap - j->mem.high;
}

/* Decides where the bytes of a string go: those of a key, or of a number as text, into j->word; those that are
 * kept to the low end, while there is room. The error needs an element's id even without room. */
static void avitoi_json_begin_string(struct avitoi_json *j, unsigned kind)
{
    const struct avitoi_arena_ends *mem = &j->mem;
    j->state = AVITOI_JSON_AT_STRING;
    j->kind = (uint8_t)kind;
    j->len = 0;
    j->dst = NULL;
    j->frozen = false;
    j->cutting = (kind == AVITOI_SCHEMA_TEXT || j->lenient) && j->cut_at > 0;
    if (avitoi_json_is_word(j)) {
        j->dst = j->word;
        j->room = sizeof j->word;
    } else if (avitoi_json_keeps_text(j)) {
        const size_t limit = avitoi_json_limit(j);
        if (!j->measuring && mem->low < limit) {
            j->dst = mem->low_base + mem->low;
            j->room = limit - mem->low - 1u;
        } else {
            j->measuring = true; /* no room even for the NUL of an empty string */
            if (avitoi_json_at_id(j) && j->element_low + j->as.frames[1].at.high_before < mem->low_cap) {
                /* The id of an element that does not fit goes over what was stored of it. */
                j->dst = mem->low_base + j->element_low;
                j->room = mem->low_cap - j->as.frames[1].at.high_before - j->element_low - 1u;
            }
        }
        if (j->cutting && j->cut_at < j->room) {
            j->room = j->cut_at;
        }
    }
}

static void avitoi_json_begin_literal(struct avitoi_json *j, char c, unsigned kind)
{
    j->state = AVITOI_JSON_AT_LITERAL;
    j->word[0] = c;
    j->word_len = 1;
    if (kind == AVITOI_SCHEMA_BOOL && c != 'n') {
        avitoi_json_add_bool(j, j->top, c == 't');
    }
}

static void avitoi_json_begin_number(struct avitoi_json *j, char c, unsigned kind)
{
    j->state = (c == '-')   ? AVITOI_JSON_AT_MINUS
               : (c == '0') ? AVITOI_JSON_AT_ZERO
                            : AVITOI_JSON_AT_INT;
    j->kind = (uint8_t)kind;
    j->word[0] = c;
    j->word_len = 1;
}

/* ======================================================================= *
 * >>27 JSON: COMPLETE VALUES
 * ======================================================================= *
 *
 * What becomes of a key, a number or a string that has been read to its end. Comes in: j->word, or a string
 * at the low end. Goes out: the row of the next value; the value in its struct. May not look at the bytes
 * that follow.
 */

/* ---- keys ---- */

static bool avitoi_json_wanted(const struct avitoi_json *j, const struct avitoi_schema_field *field)
{
    return (field->want & j->want) != 0;
}

/* The member that is being read breaks the model. */
static avitoi_json_result avitoi_json_bad_member(struct avitoi_json *j, int code)
{
    const unsigned row = j->top->field & ~AVITOI_JSON_NO_FIELD;
    return avitoi_json_bad(j, code, avitoi_schema_key(j->top->schema, row));
}

static avitoi_json_result avitoi_json_key_found(struct avitoi_json *j, unsigned index)
{
    struct avitoi_json_frame *f = j->top;
    const uint32_t bit = 1u << index;
    j->state = AVITOI_JSON_AT_COLON;
    f->field = (uint8_t)(index | AVITOI_JSON_NO_FIELD);
    if ((f->seen & bit) != 0 && !f->schema->lenient) {
        return avitoi_json_bad_member(j, AVITO_ERR_DUPLICATE);
    }
    if ((f->seen & bit) == 0 && avitoi_json_wanted(j, &avitoi_schema_fields(f->schema)[index])) {
        f->field = (uint8_t)index;
    }
    f->seen |= bit;
    return AVITO_AGAIN;
}

/* The key in j->word. An empty one is in no schema: a row without a key is for the key before it. */
static avitoi_json_result avitoi_json_key_done(struct avitoi_json *j)
{
    const struct avitoi_schema *schema = j->top->schema;
    const char *key = avitoi_schema_keys(schema);
    unsigned i;
    for (i = 0; i < schema->count && j->len > 0; i++) {
        const size_t n = avitoi_schema_fields(schema)[i].key_len;
        if (n == j->len && memcmp(key, j->word, n) == 0) {
            return avitoi_json_key_found(j, i);
        }
        key += n + 1u;
    }
    j->top->field |= AVITOI_JSON_NO_FIELD;
    j->state = AVITOI_JSON_AT_COLON;
    return AVITO_AGAIN;
}

/* ---- numbers ---- */

/* The state after `c`; AVITOI_JSON_AT_AFTER: `c` ends the number; AVITOI_JSON_AT_BROKEN: it is none. */
static unsigned avitoi_json_number_next(unsigned state, char c)
{
    enum {
        bad = AVITOI_JSON_AT_BROKEN, zero = AVITOI_JSON_AT_ZERO,
        whole = AVITOI_JSON_AT_INT, point = AVITOI_JSON_AT_POINT,
        frac = AVITOI_JSON_AT_FRACTION, e = AVITOI_JSON_AT_EXP,
        sign = AVITOI_JSON_AT_EXP_SIGN, power = AVITOI_JSON_AT_EXP_DIGITS,
        after = AVITOI_JSON_AT_AFTER
    };
    static const uint8_t next[][6] = {
        /* 0    1..9   .      e E    + -    others */
        {zero, whole, bad, bad, bad, bad},           /* AVITOI_JSON_AT_MINUS */
        {bad, bad, point, e, after, after},          /* AVITOI_JSON_AT_ZERO */
        {whole, whole, point, e, after, after},      /* AVITOI_JSON_AT_INT */
        {frac, frac, bad, bad, bad, bad},            /* AVITOI_JSON_AT_POINT */
        {frac, frac, after, e, after, after},        /* AVITOI_JSON_AT_FRACTION */
        {power, power, bad, bad, sign, bad},         /* AVITOI_JSON_AT_EXP */
        {power, power, bad, bad, bad, bad},          /* AVITOI_JSON_AT_EXP_SIGN */
        {power, power, after, after, after, after}}; /* AVITOI_JSON_AT_EXP_DIGITS */
    const unsigned kind = c == '0'               ? 0u
                          : c >= '1' && c <= '9' ? 1u
                          : c == '.'             ? 2u
                          : (c | 0x20) == 'e'    ? 3u
                          : c == '+' || c == '-' ? 4u
                                                 : 5u;
    return next[state - AVITOI_JSON_AT_MINUS][kind];
}

/* Is the text in j->word, `len` bytes, a number as JSON has them? It may also begin with zeros. */
static bool avitoi_json_is_number(const struct avitoi_json *j, size_t len)
{
    const char *const end = j->word + len;
    const char *p = j->word + (*j->word == '-' ? 1 : 0);
    unsigned state = AVITOI_JSON_AT_MINUS;
    while (end - p > 1 && *p == '0' && avitoi_number_is_digit(p[1])) {
        p++;
    }
    for (; p < end && state < AVITOI_JSON_AT_DONE && state != AVITOI_JSON_AT_AFTER; p++) {
        state = avitoi_json_number_next(state, *p);
    }
    return state == AVITOI_JSON_AT_ZERO || state == AVITOI_JSON_AT_INT ||
           state == AVITOI_JSON_AT_FRACTION || state == AVITOI_JSON_AT_EXP_DIGITS;
}

/* Reads the number in j->word, `len` bytes, and stores it. False: it does not fit this row. */
static bool avitoi_json_number(struct avitoi_json *j, const struct avitoi_json_frame *f, size_t len)
{
    const bool is_e7 = j->kind == AVITOI_SCHEMA_E7;
    int64_t value;
    int32_t e7;
    if (len > AVITOI_NUMBER_MAX ||
        (j->state == AVITOI_JSON_AT_STRING && !avitoi_json_is_number(j, len)) ||
        !avitoi_number_parse(j->word, len, is_e7 ? 7 : 0, &value)) {
        return false;
    }
    if (!is_e7) {
        avitoi_json_store(j, f, &value, sizeof value);
        return true;
    }
    e7 = (int32_t)value;
    if (e7 != value) {
        return false;
    }
    avitoi_json_store(j, f, &e7, sizeof e7);
    return true;
}

/* A number, or a string where a number belongs, is complete in j->word. */
static avitoi_json_result avitoi_json_number_done(struct avitoi_json *j, size_t len)
{
    const struct avitoi_json_frame *f = j->top;
    const struct avitoi_schema_field *field = &avitoi_schema_fields(f->schema)[f->field];
    if (!avitoi_json_number(j, f, len) && !f->schema->lenient && !field->shown) {
        const int rc = avitoi_json_bad_member(j, AVITO_ERR_MODEL);
        if (rc < 0) {
            return rc;
        }
    }
    return AVITOI_JSON_VALUE;
}

/* ---- strings ---- */

/* The TYPE is complete: what does it say? */
static void avitoi_json_type_done(struct avitoi_json *j, struct avitoi_json_frame *f)
{
    avito_str type;
    type.ptr = j->word;
    type.len = j->len <= sizeof j->word ? j->len : 0;
    f->type = avitoi_schema_match_type(avitoi_schema_child(f->schema, f->field), type);
}

/* Puts a kept string into the object, the pair or the list of strings on top. */
static void avitoi_json_add_text(struct avitoi_json *j)
{
    struct avitoi_json_frame *f = j->top;
    const char *text = j->mem.low_base + j->mem.low;
    if (j->dst != NULL && avitoi_json_at_id(j)) {
        j->id.ptr = j->dst - j->len;
        j->id.len = j->len;
    }
    if (j->dst != NULL) {
        *j->dst = '\0';
    }
    if (j->measuring) {
        if (j->cutting && j->len > j->cut_at) {
            j->len = j->cut_at; /* what a cut text would have taken */
        }
        text = NULL;
    }
    j->mem.low += j->len + 1u;
    if (f->kind <= AVITOI_SCHEMA_MAP) {
        if (j->kind == AVITOI_SCHEMA_TYPE) {
            avitoi_json_type_done(j, f);
        }
        avitoi_json_add_ref(j, f, text, j->len);
    } else {
        char *slot = avitoi_json_high(j, sizeof(avito_str));
        f->seen++;
        if (slot != NULL) {
            avito_str element;
            element.ptr = text;
            element.len = j->len;
            memcpy(slot, &element, sizeof element);
        }
    }
}

/* At the closing quote: of a key, of a number as text, or of a string. */
static avitoi_json_result avitoi_json_string_done(struct avitoi_json *j)
{
    if (avitoi_json_keeps_text(j)) {
        avitoi_json_add_text(j);
    }
    if (j->in_key) {
        j->in_key = false;
        j->state = AVITOI_JSON_AT_COLON;
        if (j->kind == AVITOI_JSON_KEY) {
            return avitoi_json_key_done(j);
        }
        if (avitoi_json_keeps_text(j)) { /* of a map: the value is the pair's second field */
            j->top->field = 1;
        }
        return AVITO_AGAIN;
    }
    if (avitoi_json_is_word(j)) {
        return avitoi_json_number_done(j, j->len);
    }
    return AVITOI_JSON_VALUE;
}

/* ======================================================================= *
 * >>28 JSON: STRINGS
 * ======================================================================= *
 *
 * Strings, from the byte after the opening quote on: escapes, UTF-8, and plain text, each to the place
 * where it stays. Comes in: bytes, in pieces of any size. Goes out: a complete string, to the chapter
 * before. May not read past the closing quote.
 */

/* Twins for strings that are plain and wholly in the window (>>44). */
#if AVITO_WITH_SHORTCUTS
static const char *avitoi_fast_text_check(const char *p, const char *end, size_t *len);
static const char *avitoi_fast_text_decode(const char *p, const char *end, char *out, size_t room,
                                           size_t *len);
#endif

/* No room for a code point: a text that may be cut ends here; a key or number is too long to be
 * one; anything else does not fit the arena and is only counted from here on. */
static void avitoi_json_no_room(struct avitoi_json *j, size_t n)
{
    if (j->cutting && avitoi_json_keeps_text(j) && j->len + n > j->cut_at) {
        j->was_cut = true;
        j->frozen = true;
        return;
    }
    j->measuring = j->measuring || avitoi_json_keeps_text(j);
    j->dst = NULL;
    j->len += n;
}

/* One decoded code point of a string. What a TYPE says has to be known even if there is no room for it. */
static void avitoi_json_put(struct avitoi_json *j, const char *p, size_t n)
{
    if (j->kind == AVITOI_SCHEMA_TYPE && j->len + n <= sizeof j->word) {
        memcpy(j->word + j->len, p, n);
    }
    if (j->frozen) {
        return;
    }
    if (j->dst != NULL && n > j->room) {
        avitoi_json_no_room(j, n);
        return;
    }
    j->len += n;
    if (j->dst != NULL) {
        j->room -= n;
        for (; n > 0; n--) {
            *j->dst++ = *p++;
        }
    }
}

/* Takes what is plain, as far as there is room for it. */
static const char *avitoi_json_plain(struct avitoi_json *j, const char *p, const char *end)
{
    const char *const start = p;
    const char *limit;
#if AVITO_WITH_SHORTCUTS
    if (j->kind != AVITOI_SCHEMA_TYPE) {
        size_t n;
        p = (j->dst == NULL || j->frozen) ? avitoi_fast_text_check(p, end, &n)
                                          : avitoi_fast_text_decode(p, end, j->dst, j->room, &n);
        if (j->frozen) {
            return p;
        }
        j->len += n;
        if (j->dst != NULL) {
            j->dst += n;
            j->room -= n;
        }
        return p;
    }
#endif
    limit = (j->dst != NULL && (size_t)(end - p) > j->room) ? p + j->room : end;
    while (p < limit && avitoi_text_is_plain(*p)) {
        p++;
    }
    avitoi_json_put(j, start, (size_t)(p - start));
    return p;
}

static void avitoi_json_put_point(struct avitoi_json *j, uint32_t point)
{
    char utf8[4];
    const size_t n = avitoi_text_utf8_put(point, utf8);
    avitoi_json_put(j, utf8, n);
}

/* The low half of a pair does not follow. */
static void avitoi_json_lone_surrogate(struct avitoi_json *j)
{
    if (j->surrogate != 0) {
        j->surrogate = 0;
        avitoi_json_put_point(j, 0xfffdu);
    }
}

/* A complete \uXXXX. The high half of a pair waits for the low one. */
static void avitoi_json_unit(struct avitoi_json *j, uint16_t unit)
{
    const bool is_low = unit >= 0xdc00 && unit <= 0xdfff;
    j->state = AVITOI_JSON_AT_STRING;
    if (is_low && j->surrogate != 0) {
        const uint32_t high = j->surrogate;
        j->surrogate = 0;
        avitoi_json_put_point(j, 0x10000u + ((high - 0xd800u) << 10) + (unit - 0xdc00u));
        return;
    }
    avitoi_json_lone_surrogate(j);
    if (unit >= 0xd800 && unit <= 0xdbff) {
        j->surrogate = unit;
        return;
    }
    avitoi_json_put_point(j, is_low ? 0xfffdu : unit);
}

/* The byte after a backslash. */
static avitoi_json_result avitoi_json_escape(struct avitoi_json *j, char c)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at;
    if (c == 'u') {
        j->state = AVITOI_JSON_AT_HEX;
        memset(j->utf8, 0, sizeof j->utf8);
        j->word_len = 0;
        return AVITO_AGAIN;
    }
    avitoi_json_lone_surrogate(j);
    at = (const char *)memchr(from, c, sizeof from - 1u);
    if (at == NULL) {
        return AVITO_ERR_JSON;
    }
    j->state = AVITOI_JSON_AT_STRING;
    avitoi_json_put(j, &to[at - from], 1);
    return AVITO_AGAIN;
}

static avitoi_json_result avitoi_json_hex_digit(struct avitoi_json *j, char c)
{
    const unsigned digit = avitoi_text_hex_digit(c);
    uint16_t unit;
    if (digit > 15u) {
        return AVITO_ERR_JSON;
    }
    memcpy(&unit, j->utf8, sizeof unit);
    unit = (uint16_t)((unsigned)unit << 4 | digit);
    memcpy(j->utf8, &unit, sizeof unit);
    j->word_len++;
    if (j->word_len == 4) {
        avitoi_json_unit(j, unit);
    }
    return AVITO_AGAIN;
}

/* One byte of a sequence above ASCII. They are gathered, so that a cut never splits one. */
static avitoi_json_result avitoi_json_utf8_byte(struct avitoi_json *j, char c)
{
    unsigned length;
    j->utf8[j->utf8_len++] = c;
    length = avitoi_text_utf8_length(j->utf8, j->utf8_len);
    if (length == 0) {
        return AVITO_ERR_JSON_UTF8;
    }
    if (length == j->utf8_len) {
        avitoi_json_put(j, j->utf8, length);
        j->utf8_len = 0;
    }
    return AVITO_AGAIN;
}

/* Reads inside a string: up to its end, the end of the bytes, or an escape that is not complete. */
static avitoi_json_result avitoi_json_string(struct avitoi_json *j, const char **pp, const char *end)
{
    const char *p = *pp;
    int rc = AVITO_AGAIN;
    while (p < end && rc == AVITO_AGAIN && j->state == AVITOI_JSON_AT_STRING) {
        if (*p != '\\') {
            avitoi_json_lone_surrogate(j);
        }
        if (j->utf8_len == 0 && j->surrogate == 0) {
            p = avitoi_json_plain(j, p, end);
            if (p == end) {
                break;
            }
        }
        if (j->utf8_len > 0 || avitoi_text_byte(*p) >= 0x80) {
            rc = avitoi_json_utf8_byte(j, *p++);
        } else if (avitoi_text_is_plain(*p)) { /* no room for it */
            avitoi_json_put(j, p++, 1);
        } else if (*p == '"') {
            *pp = p + 1;
            return avitoi_json_string_done(j);
        } else if (*p != '\\') {
            rc = AVITO_ERR_JSON;
        } else {
            j->state = AVITOI_JSON_AT_ESCAPE;
            p++;
        }
    }
    *pp = p;
    return rc;
}

/* ======================================================================= *
 * >>29 JSON: THE MACHINE
 * ======================================================================= *
 *
 * Reads JSON as it streams in, in pieces of any size, and checks all of it strictly (RFC 8259,
 * well-formed UTF-8, at most 32 levels, nothing after the end; a lone surrogate escape becomes
 * U+FFFD). Members that are not known or not wanted are checked and dropped. A known string is decoded
 * once, to its final place in the arena. Each value goes straight into the struct of the object on
 * top, to the place that the row of its key names (>>24).
 *
 * Where an object is made: >>3; both ends of the arena: >>5. At the high end is a stack of the elements of
 * open lists, of pairs, and of the root if the caller has a struct for it. The root, and the element of a
 * list that streams, are copied to the caller's struct when they are complete.
 *
 * Comes in: bytes of a body, and the schema of its root. Goes out: an element, the root, or an error. May
 * not read a byte twice, or know what an answer means.
 */

/* Twins for members that are plain and wholly in the window (>>45, >>46). */
#if AVITO_WITH_SHORTCUTS
static const char *avitoi_fast_way(struct avitoi_json *j, const char *p, const char *end);
static const char *avitoi_fast_blanks_on(const char *p, const char *end);
#endif

/* ---- the beginning of values ---- */

/* The kinds of a value that begins with `c`, as bits; 0: no value begins so. */
static unsigned avitoi_json_kinds(char c)
{
    switch (c) {
        case '"':
            return 1u << AVITOI_SCHEMA_STR | 1u << AVITOI_SCHEMA_TEXT | 1u << AVITOI_SCHEMA_TYPE |
                   1u << AVITOI_SCHEMA_INT | 1u << AVITOI_SCHEMA_E7;
        case '{':
            return 1u << AVITOI_SCHEMA_OBJ | 1u << AVITOI_SCHEMA_TYPED | 1u << AVITOI_SCHEMA_MAP;
        case '[':
            return 1u << AVITOI_SCHEMA_ARR | 1u << AVITOI_SCHEMA_STRS | 1u << AVITOI_SCHEMA_ONE;
        case 't':
        case 'f':
            return 1u << AVITOI_SCHEMA_BOOL;
        case 'n':
            return ~0u;
        default:
            return (c == '-' || (c >= '0' && c <= '9'))
                       ? 1u << AVITOI_SCHEMA_INT | 1u << AVITOI_SCHEMA_E7
                       : 0u;
    }
}

/* The kinds whose rows take an empty array for null. */
#define AVITOI_JSON_OBJECTS (1u << AVITOI_SCHEMA_OBJ | 1u << AVITOI_SCHEMA_TYPED | 1u << AVITOI_SCHEMA_MAP)

/* A value that begins with `c` does not fit the row of `f`. */
static avitoi_json_result avitoi_json_misfit(struct avitoi_json *j, const struct avitoi_schema_field *field,
                                             char c, unsigned *kind)
{
    if (j->top->schema->lenient || field->shown) {
        if (field->kind <= AVITOI_SCHEMA_TEXT &&
            (avitoi_json_kinds(c) >> AVITOI_SCHEMA_E7 & 1u) != 0 && !j->top->schema->lenient) {
            *kind = field->kind; /* a number */
        }
        return AVITO_AGAIN;
    }
    if (field->kind == AVITOI_SCHEMA_TYPED && j->top->type == AVITOI_SCHEMA_TYPE_UNKNOWN) {
        return AVITO_AGAIN; /* it may be for another type */
    }
    if (c == '[' && (AVITOI_JSON_OBJECTS >> field->kind & 1u) != 0) {
        j->hollow = true;
        return AVITO_AGAIN;
    }
    return avitoi_json_bad_member(j, AVITO_ERR_MODEL);
}

/* What the member that begins with `c` is for. */
static avitoi_json_result avitoi_json_expect_member(struct avitoi_json *j, char c, unsigned *kind,
                                                    const struct avitoi_schema **child)
{
    const unsigned fitting = avitoi_json_kinds(c);
    struct avitoi_json_frame *f = j->top;
    const struct avitoi_schema_field *field = &avitoi_schema_fields(f->schema)[f->field];
    if (f->field >= AVITOI_JSON_NO_FIELD) {
        return AVITO_AGAIN;
    }
    if ((fitting >> field->kind & 1u) == 0 && f->field + 1u < f->schema->count &&
        field[1].key_len == 0) {
        f->field++; /* the same key in another form */
        field++;
    }
    if (field->kind == AVITOI_SCHEMA_TYPED && f->type == AVITOI_SCHEMA_TYPE_OTHER) {
        return AVITO_AGAIN;
    }
    if ((fitting >> field->kind & 1u) == 0) {
        return avitoi_json_misfit(j, field, c, kind);
    }
    *kind = (field->kind == AVITOI_SCHEMA_TYPED) ? (unsigned)AVITOI_SCHEMA_OBJ : (unsigned)field->kind;
    *child = avitoi_schema_is_parent(field) ? avitoi_schema_child(f->schema, f->field) : NULL;
    return AVITO_AGAIN;
}

/* What the element that begins with `c` is for. */
static avitoi_json_result avitoi_json_expect_element(struct avitoi_json *j, char c, unsigned *kind,
                                                     const struct avitoi_schema **child)
{
    const struct avitoi_json_frame *f = j->top;
    if (avitoi_json_at_list(j)) {
        j->list->begins(j);
    }
    if (f->kind == AVITOI_SCHEMA_ONE && f->seen > 0) {
        return AVITO_AGAIN;
    }
    if (c != (f->kind == AVITOI_SCHEMA_ARR ? '{' : '"')) {
        return j->lenient ? AVITO_AGAIN : avitoi_json_bad(j, AVITO_ERR_MODEL, "element");
    }
    *child = f->schema;
    *kind = (f->kind == AVITOI_SCHEMA_ARR) ? AVITOI_SCHEMA_OBJ : AVITOI_SCHEMA_STR;
    return AVITO_AGAIN;
}

/* What the value that begins with `c` is for. AVITOI_JSON_NO_KIND: it is only checked. */
static avitoi_json_result avitoi_json_expect(struct avitoi_json *j, char c, unsigned *kind,
                                             const struct avitoi_schema **child)
{
    *kind = AVITOI_JSON_NO_KIND;
    if (j->hollow) {
        j->hollow = false;
        return avitoi_json_bad_member(j, AVITO_ERR_MODEL);
    }
    if (j->skip > 0 || j->level == 0) {
        return AVITO_AGAIN;
    }
    return (j->top->kind <= AVITOI_SCHEMA_MAP)
               ? avitoi_json_expect_member(j, c, kind, child)
               : avitoi_json_expect_element(j, c, kind, child);
}

/* At the { or [ of the root, which is opened. If its schema is `bare`, the answer may be its first member
 * alone: then `*kind` and `*child` become that member's. Where no model is asked for, [] is an empty answer. */
static avitoi_json_result avitoi_json_begin_root(struct avitoi_json *j, char c, unsigned *kind,
                                                 const struct avitoi_schema **child)
{
    const struct avitoi_schema *root = j->top->schema;
    const bool no_model = j->out == NULL;
    const unsigned first = avitoi_schema_fields(root)->kind;
    const int rc = avitoi_json_open(j, AVITOI_SCHEMA_OBJ, root);
    if (root->bare && first == (c == '{' ? (unsigned)AVITOI_SCHEMA_MAP : (unsigned)AVITOI_SCHEMA_ARR)) {
        j->top->field = 0;
        *kind = first;
        *child = avitoi_schema_child(root, 0);
        return rc;
    }
    if (c == '{') {
        return rc;
    }
    j->top->field = 0;
    j->hollow = true;
    return no_model ? rc : AVITO_ERR_MODEL;
}

/* At { or [. */
AVITOI_APART_IF_SMALL
static avitoi_json_result avitoi_json_begin_container(struct avitoi_json *j, char c, unsigned kind,
                                                      const struct avitoi_schema *child)
{
    const bool at_root = j->depth == 0 && j->top->schema != NULL;
    int rc;
    if (j->depth >= AVITOI_JSON_MAX_DEPTH) {
        return AVITO_ERR_JSON_DEPTH;
    }
    j->is_object = (j->is_object & ~(1u << j->depth)) | ((c == '{' ? 1u : 0u) << j->depth);
    j->depth++;
    j->state = (c == '{') ? AVITOI_JSON_AT_KEY_OR_END : AVITOI_JSON_AT_VALUE_OR_END;
    if (at_root) {
        rc = avitoi_json_begin_root(j, c, &kind, &child);
        if (kind == AVITOI_JSON_NO_KIND) {
            return rc;
        }
    }
    if (kind == AVITOI_JSON_NO_KIND) {
        j->skip++;
        return AVITO_AGAIN;
    }
    rc = avitoi_json_open(j, kind, child);
    if (kind > AVITOI_SCHEMA_TYPED && avitoi_json_at_list(j)) {
        j->list_depth = j->depth;
        j->element_low = j->mem.low;
    }
    return rc;
}

/* At the first byte of a value. A string is read at once, as far as its bytes have come. */
AVITOI_APART_IF_SMALL
static avitoi_json_result avitoi_json_begin_value(struct avitoi_json *j, const char **p, const char *end)
{
    const char c = **p;
    const struct avitoi_schema *child = NULL;
    unsigned kind;
    avitoi_json_result rc = avitoi_json_expect(j, c, &kind, &child);
    if (rc == AVITO_AGAIN && kind == AVITOI_JSON_NO_KIND && j->raw != NULL) {
        rc = j->raw->unknown(j);
    }
    if (rc != AVITO_AGAIN) {
        return rc;
    }
    *p += 1;
    switch (c) {
        case '{':
        case '[':
            return avitoi_json_begin_container(j, c, kind, child);
        case '"':
            if (j->depth == 0) {
                return AVITO_ERR_MODEL;
            }
            avitoi_json_begin_string(j, kind);
            return avitoi_json_string(j, p, end);
        case 't':
        case 'f':
        case 'n':
            avitoi_json_begin_literal(j, c, kind);
            break;
        default:
            avitoi_json_begin_number(j, c, kind);
            break;
    }
    /* Where no model is asked for, null is an empty answer, too. */
    return (j->depth == 0 && (c != 'n' || j->out != NULL)) ? AVITO_ERR_MODEL : AVITO_AGAIN;
}

/* A pair is made at the high end, with its key as the first field. */
static void avitoi_json_begin_pair(struct avitoi_json *j)
{
    if (avitoi_json_at_list(j)) {
        j->list->begins(j);
    }
    (void)avitoi_json_struct(j, true);
    j->top->field = 0;
}

/* At the opening quote `*p` of a key. */
static avitoi_json_result avitoi_json_begin_key(struct avitoi_json *j, const char **p, const char *end)
{
    unsigned kind = AVITOI_JSON_NO_KIND;
    *p += 1;
    if (j->skip == 0) {
        kind = AVITOI_JSON_KEY;
        if (j->top->kind == AVITOI_SCHEMA_MAP) {
            avitoi_json_begin_pair(j);
            kind = AVITOI_SCHEMA_STR;
        }
    }
    avitoi_json_begin_string(j, kind);
    j->in_key = true;
    return avitoi_json_string(j, p, end);
}

/* ---- numbers and literals ---- */

/* The byte after a number has come. A number that is kept as text has to fit j->word. */
static avitoi_json_result avitoi_json_number_ends(struct avitoi_json *j)
{
    const size_t len = j->word_len;
    if (avitoi_json_is_word(j)) {
        return avitoi_json_number_done(j, len);
    }
    if (avitoi_json_keeps_text(j) && len < sizeof j->word) {
        avitoi_json_begin_string(j, AVITOI_SCHEMA_STR);
        avitoi_json_put(j, j->word, len);
        avitoi_json_add_text(j);
    }
    return AVITOI_JSON_VALUE;
}

/* Bytes of a number, as far as they go. j->word keeps as many as a number of this kind needs; the rest is
 * only checked. */
static avitoi_json_result avitoi_json_number_bytes(struct avitoi_json *j, const char **p, const char *end)
{
    const char *at = *p;
    int rc = AVITO_AGAIN;
    for (; at < end; at++) {
        unsigned next = j->state;
        if (next != AVITOI_JSON_AT_INT || !avitoi_number_is_digit(*at)) {
            next = avitoi_json_number_next(next, *at);
        }
        if (next == AVITOI_JSON_AT_AFTER) {
            rc = avitoi_json_number_ends(j);
            break;
        }
        if (next == AVITOI_JSON_AT_BROKEN) {
            rc = AVITO_ERR_JSON;
            break;
        }
        j->state = (uint8_t)next;
        if (j->word_len < (next == AVITOI_JSON_AT_FRACTION && j->kind == AVITOI_SCHEMA_E7
                               ? AVITOI_NUMBER_FRACTION_MAX
                               : sizeof j->word)) {
            j->word[j->word_len++] = *at;
        }
    }
    *p = at;
    return rc;
}

static avitoi_json_result avitoi_json_literal(struct avitoi_json *j, char c)
{
    const char *word = (*j->word == 't') ? "true" : (*j->word == 'f') ? "false" : "null";
    if (word[j->word_len] != c) {
        return AVITO_ERR_JSON;
    }
    j->word_len++;
    return (word[j->word_len] == '\0') ? AVITOI_JSON_VALUE : AVITO_AGAIN;
}

/* ---- feed ---- */

/* Any other byte between values: white space, or an error. */
static avitoi_json_result avitoi_json_blank(char c)
{
    const bool blank = c == ' ' || c == '\n' || c == '\r' || c == '\t';
    return blank ? (int)AVITO_AGAIN : AVITO_ERR_JSON;
}

/* Goes the short way from *p on, if there is one. False: it took nothing. */
static bool avitoi_json_short(struct avitoi_json *j, const char **p, const char *end)
{
#if AVITO_WITH_SHORTCUTS
    const char *const before = *p;
    *p = avitoi_fast_way(j, before, end);
    return *p != before;
#else
    (void)j;
    (void)p;
    (void)end;
    return false;
#endif
}

static avitoi_json_result avitoi_json_at_colon(struct avitoi_json *j, char c)
{
    if (c != ':') {
        return avitoi_json_blank(c);
    }
    j->state = AVITOI_JSON_AT_VALUE;
    return AVITO_AGAIN;
}

/* Where a member may begin, or the object may end. */
static avitoi_json_result avitoi_json_at_key(struct avitoi_json *j, const char **p, const char *end)
{
    const char c = **p;
    if (c == '"') {
        return avitoi_json_short(j, p, end) ? (int)AVITO_AGAIN : avitoi_json_begin_key(j, p, end);
    }
    *p += 1;
    return (c == '}' && j->state == AVITOI_JSON_AT_KEY_OR_END) ? avitoi_json_close(j, c)
                                                               : avitoi_json_blank(c);
}

/* After a value. */
static avitoi_json_result avitoi_json_at_end(struct avitoi_json *j, const char **p, const char *end)
{
    const char c = **p;
    if (c == ',') {
        if (!avitoi_json_short(j, p, end)) {
            const bool is_object = ((j->is_object >> (j->depth - 1u)) & 1u) != 0;
            j->state = is_object ? AVITOI_JSON_AT_KEY : AVITOI_JSON_AT_VALUE;
            *p += 1;
        }
        return AVITO_AGAIN;
    }
    *p += 1;
    return (c == '}' || c == ']') ? avitoi_json_close(j, c) : avitoi_json_blank(c);
}

/* Where a value may begin, or the list may end. */
static avitoi_json_result avitoi_json_at_value(struct avitoi_json *j, const char **p, const char *end)
{
    const char c = **p;
    if (c == ']' && j->state == AVITOI_JSON_AT_VALUE_OR_END) {
        *p += 1;
        return avitoi_json_close(j, c);
    }
    if (avitoi_json_kinds(c) != 0) {
        return avitoi_json_begin_value(j, p, end);
    }
    *p += 1;
    return avitoi_json_blank(c);
}

/* Takes blanks at *p, where blanks are allowed. False: it took nothing. */
static inline bool avitoi_json_blanks(const struct avitoi_json *j, const char **p, const char *end)
{
#if AVITO_WITH_SHORTCUTS
    const char *const before = *p;
    if (avitoi_text_byte(*before) > ' ' ||
        (j->state > AVITOI_JSON_AT_AFTER && j->state != AVITOI_JSON_AT_DONE)) {
        return false;
    }
    *p = avitoi_fast_blanks_on(before, end);
    return *p != before;
#else
    (void)j;
    (void)p;
    (void)end;
    return false;
#endif
}

/* Takes bytes of the body; *used tells how many. AVITO_AGAIN: all, and more may come. AVITOI_JSON_ELEMENT: one
 * is complete. An error is of one element, and the list goes on; or of the body, and the state is BROKEN. */
static avitoi_json_result avitoi_json_feed(struct avitoi_json *j, const char *data, size_t len, size_t *used)
{
    const char *p = data;
    const char *end = data + len;
    int rc = AVITO_AGAIN;
    while (p < end && rc == AVITO_AGAIN && j->event == 0) {
        const char c = *p;
        if (avitoi_json_blanks(j, &p, end)) {
            continue;
        }
        switch ((int)j->state) {
            case AVITOI_JSON_AT_STRING:
                rc = avitoi_json_string(j, &p, end);
                break;
            case AVITOI_JSON_AT_ESCAPE:
                p++;
                rc = avitoi_json_escape(j, c);
                break;
            case AVITOI_JSON_AT_HEX:
                p++;
                rc = avitoi_json_hex_digit(j, c);
                break;
            case AVITOI_JSON_AT_LITERAL:
                p++;
                rc = avitoi_json_literal(j, c);
                break;
            case AVITOI_JSON_AT_KEY:
            case AVITOI_JSON_AT_KEY_OR_END:
                rc = avitoi_json_at_key(j, &p, end);
                break;
            case AVITOI_JSON_AT_COLON:
                p++;
                rc = avitoi_json_at_colon(j, c);
                break;
            case AVITOI_JSON_AT_VALUE:
            case AVITOI_JSON_AT_VALUE_OR_END:
                rc = avitoi_json_at_value(j, &p, end);
                break;
            case AVITOI_JSON_AT_AFTER:
                rc = avitoi_json_at_end(j, &p, end);
                break;
            default:
                if (j->state < AVITOI_JSON_AT_DONE) {
                    rc = avitoi_json_number_bytes(j, &p, end);
                    break;
                }
                p++; /* after the end, or broken */
                rc = avitoi_json_blank(c);
                break;
        }
        if (rc == AVITOI_JSON_VALUE) {
            avitoi_json_value_done(j);
            rc = AVITO_AGAIN;
        }
    }
    *used = (size_t)(p - data);
    if (rc < 0) {
        j->state = AVITOI_JSON_AT_BROKEN;
    }
    if (rc == AVITO_AGAIN && j->event != 0) {
        rc = j->event;
        j->event = 0;
    }
    return rc;
}

/* After the last byte of the body. */
static int avitoi_json_end(struct avitoi_json *j)
{
    if (j->state != AVITOI_JSON_AT_DONE) {
        const bool nothing = j->state == AVITOI_JSON_AT_VALUE && j->depth == 0;
        return nothing ? AVITO_ERR_EMPTY : AVITO_ERR_JSON;
    }
    return (j->measuring && j->list == NULL) ? AVITO_ERR_ARENA : AVITO_OK;
}

AVITOI_ASSERT(json_frames_are_last, sizeof(struct avitoi_json) - offsetof(struct avitoi_json, as) -
                                            sizeof(((struct avitoi_json *)NULL)->as) <
                                        AVITOI_ARENA_ALIGN);

/* Begins a body. `root` NULL: it is only checked. Of the frames only the first has to begin with zeros. */
static void avitoi_json_begin(struct avitoi_json *j, const struct avitoi_schema *root, void *out)
{
    memset(j, 0, offsetof(struct avitoi_json, as));
    j->top = j->as.frames;
    memset(j->top, 0, sizeof *j->top);
    j->top->schema = root;
    j->lenient = root != NULL && root->lenient;
    j->out = out;
    j->want = (uint16_t)~AVITOI_SCHEMA_SHOWN;
}

/* ======================================================================= *
 * >>30 WRITER
 * ======================================================================= *
 *
 * A request is a pure function of the call's arguments. It is written from its beginning each time, and
 * the writer stores only the bytes that come next. So a window of any size serves a request of any size,
 * and the same pass without memory counts the length. Comes in: text, numbers. Goes out: the bytes that
 * there is room for. May not know the API.
 */

struct avitoi_writer {
    char *out;
    size_t cap, len;
    uint32_t skip;  /* bytes still to skip */
    uint32_t total; /* bytes written so far, skipped ones included */
    bool failed;    /* the source of an upload did not deliver */
};

static void avitoi_write(struct avitoi_writer *w, const char *p, size_t n)
{
    const size_t gone = w->skip < n ? w->skip : n;
    const size_t room = w->cap - w->len;
    const size_t take = n - gone < room ? n - gone : room;
    w->total += (uint32_t)n;
    w->skip -= (uint32_t)gone;
    if (take > 0) {
        memcpy(w->out + w->len, p + gone, take);
        w->len += take;
    }
}

static void avitoi_write_text(struct avitoi_writer *w, const char *text)
{
    avitoi_write(w, text, strlen(text));
}

static void avitoi_write_char(struct avitoi_writer *w, char c)
{
    avitoi_write(w, &c, 1);
}

static void avitoi_write_int(struct avitoi_writer *w, int64_t value)
{
    char digits[21];
    if (value < 0) {
        avitoi_write(w, "-", 1);
    }
    avitoi_write_text(
        w, avitoi_number_decimal(value < 0 ? 0u - (uint64_t)value : (uint64_t)value, digits));
}

static void avitoi_write_hex(struct avitoi_writer *w, uint8_t byte)
{
    avitoi_write_char(w, avitoi_text_of_digit(byte >> 4));
    avitoi_write_char(w, avitoi_text_of_digit(byte & 15u));
}

/* Writes one segment of a path, or one value of a query or form: everything except RFC 3986's unreserved
 * characters is escaped. */
static void avitoi_write_percent(struct avitoi_writer *w, const char *text)
{
    for (; *text != '\0'; text++) {
        const uint8_t c = avitoi_text_byte(*text);
        const uint8_t lower = (uint8_t)(c | 0x20u);
        if ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
            memchr("-._~", c, 4) != NULL) {
            avitoi_write_char(w, *text);
        } else {
            avitoi_write_char(w, '%');
            avitoi_write_hex(w, c);
        }
    }
}

/* Writes a text as a JSON string, quotes included. */
static AVITOI_INLINE void avitoi_write_json(struct avitoi_writer *w, avito_str s)
{
    const char *p = s.ptr, *const end = p + s.len;
    avitoi_write_char(w, '"');
    while (p < end) {
        const char *run = p;
        while (p < end && avitoi_text_byte(*p) >= ' ' && *p != '"' && *p != '\\') {
            p++;
        }
        avitoi_write(w, run, (size_t)(p - run));
        if (p < end && avitoi_text_byte(*p) >= ' ') {
            avitoi_write_char(w, '\\');
            avitoi_write_char(w, *p++);
        } else if (p < end) {
            avitoi_write(w, "\\u00", 4);
            avitoi_write_hex(w, avitoi_text_byte(*p++));
        }
    }
    avitoi_write_char(w, '"');
}

/* ======================================================================= *
 * >>31 ENDPOINTS
 * ======================================================================= *
 *
 * What differs between the calls, and nothing else; the table is at the end. Comes in: the arguments of a
 * call. Goes out: its path, its query, its body, and the schema of its answer. May not change the lane.
 */

#define AVITOI_ENDPOINT_POST      0x01u
#define AVITOI_ENDPOINT_CHANGES   0x02u /* has an effect: not repeated once it may have been stored */
#define AVITOI_ENDPOINT_TOKEN     0x04u /* a request for a token: needs none, carries the secret */
#define AVITOI_ENDPOINT_STREAM    0x08u /* the answer is a list that can be read element by element */
#define AVITOI_ENDPOINT_SPENDS    0x10u /* carries what can be used only once */
#define AVITOI_ENDPOINT_CODE      0x20u /* brings an account's first token: what is stored does not count */
#define AVITOI_ENDPOINT_MULTIPART 0x40u /* the body has parts, with a boundary between them */
#define AVITOI_ENDPOINT_OK        0x80u /* {"ok":true} is an empty list (the description's own example) */
#define AVITOI_ENDPOINT_REFRESH   0x100u /* spends the refresh token */
#define AVITOI_ENDPOINT_ID        0x200u /* the answer must hold an id, also where no model is asked for */

/* All of them, for their numbers and their names, which only the trace needs. */
#define AVITOI_ENDPOINTS(X)                                                                        \
    X(get_token) X(exchange_code) X(refresh_token) X(get_self) X(get_chats) X(get_chat)            \
    X(get_messages) X(send_message) X(upload_image) X(send_image_message) X(delete_message)        \
    X(mark_chat_as_read) X(get_voice_files) X(subscribe_webhook) X(unsubscribe_webhook)            \
    X(get_webhook_subscriptions) X(add_to_blacklist)
#define AVITOI_ENDPOINT_NUMBER_(name) AVITOI_ENDPOINT_NUMBER_##name,
enum { AVITOI_ENDPOINTS(AVITOI_ENDPOINT_NUMBER_) AVITOI_ENDPOINT_COUNT };

struct avitoi_endpoint {
    const char *path, *type, *body;     /* patterns; type: of the body; NULL: none */
    void (*write)(struct avitoi_writer *w, const avito_client *c, char which); /* %b and %w of its patterns */
    const struct avitoi_schema *answer; /* NULL: a reply that only confirms */
    avitoi_call_result (*end)(avito_client *c); /* called when the model is complete; NULL: nothing to do */
    const struct avitoi_endpoint_special *special; /* NULL: a reply that only confirms, or a token */
    uint16_t flags;
    uint8_t number; /* AVITOI_ENDPOINT_NUMBER_* */
};

/* What only models, lists or uploads do. The machine calls it through their endpoints, so that programs
 * without them do not link it. NULL: nothing to do. */
struct avitoi_endpoint_special {
    void (*model)(avito_client *c);         /* a model will come */
    void (*received)(avito_client *c, const char *data, size_t len); /* some of it has come */
    avitoi_call_result (*whole)(avito_client *c, int rc); /* all of it has */
    int (*element)(avito_client *c, int came); /* list: AVITOI_JSON_ELEMENT, or an element's error */
    avitoi_call_result (*drain)(avito_client *c); /* list: state DRAIN */
    int (*begin)(avito_client *c);          /* upload: a request will be written */
    void (*sent)(avito_client *c);          /* upload: some of it has left */
};

static avitoi_call_result avitoi_list_over(avito_client *c);
static void avitoi_list_begin(avito_client *c);
static int avitoi_list_element(avito_client *c, int came);
static avitoi_call_result avitoi_list_on_drain(avito_client *c);
static avitoi_call_result avitoi_send_uploaded(avito_client *c);
static void avitoi_answer_use_arena(avito_client *c);
static void avitoi_answer_keep_beginning(avito_client *c, const char *data, size_t len);
static avitoi_call_result avitoi_answer_end_model(avito_client *c, int rc);
static avitoi_call_result avitoi_answer_id(avito_client *c);
static avitoi_call_result avitoi_answer_self(avito_client *c);
static avitoi_call_result avitoi_token_reuse_refresh(avito_client *c);
static void avitoi_send_write_multipart(struct avitoi_writer *w, const avito_client *c, char which);
static void avitoi_authorize_write_redirect(struct avitoi_writer *w, const avito_client *c, char which);
static int avitoi_send_upload_begin(avito_client *c);
static void avitoi_send_upload_progress(avito_client *c);

static const struct avitoi_endpoint_special avitoi_endpoint_one_special = {
    avitoi_answer_use_arena, avitoi_answer_keep_beginning, avitoi_answer_end_model, NULL, NULL, NULL, NULL};
static const struct avitoi_endpoint_special avitoi_endpoint_list_special = {
    avitoi_list_begin, avitoi_answer_keep_beginning, avitoi_answer_end_model, avitoi_list_element,
    avitoi_list_on_drain, NULL, NULL};
static const struct avitoi_endpoint_special avitoi_endpoint_upload_special = {
    avitoi_answer_use_arena, avitoi_answer_keep_beginning, avitoi_answer_end_model, NULL, NULL,
    avitoi_send_upload_begin, avitoi_send_upload_progress};

/* ---- queries ---- */

/* Writes ?name= the first time and &name= from then on. */
static void avitoi_endpoint_query_name(struct avitoi_writer *w, char *separator, const char *name)
{
    avitoi_write_char(w, *separator);
    avitoi_write_text(w, name);
    avitoi_write_char(w, '=');
    *separator = '&';
}

static void avitoi_endpoint_query_page(struct avitoi_writer *w, const avito_client *c, char *separator)
{
    const int offset = c->priv.offset + c->priv.rows_before;
    avitoi_endpoint_query_name(w, separator, "limit");
    avitoi_write_int(w, c->priv.limit);
    if (offset > 0) {
        avitoi_endpoint_query_name(w, separator, "offset");
        avitoi_write_int(w, offset);
    }
}

/* The filters of a list of chats, in the description's order; those that are not set are left out. */
static void avitoi_endpoint_query_chats(struct avitoi_writer *w, const avito_client *c, char which)
{
    const struct avitoi_client_args *args = &c->priv.args;
    const unsigned chat_types = args->as.chats.chat_types;
    char separator = '?';
    size_t i;
    (void)which;
    for (i = 0; i < args->as.chats.item_ids_count; i++) {
        if (i == 0 || args->as.chats.repeat_item_ids) {
            avitoi_endpoint_query_name(w, &separator, "item_ids");
        } else {
            avitoi_write_char(w, ',');
        }
        avitoi_write_int(w, args->as.chats.item_ids[i]);
    }
    if (args->as.chats.unread_only) {
        avitoi_endpoint_query_name(w, &separator, "unread_only");
        avitoi_write_text(w, "true");
    }
    if (chat_types != 0) {
        const char *between = "", *word = (const char *)&avitoi_schema_chat_types;
        avitoi_endpoint_query_name(w, &separator, "chat_types");
        for (i = 0; *word != '\0'; i++, word = avitoi_text_next_word(word)) {
            if ((chat_types >> i & 1u) != 0) {
                avitoi_write_text(w, between);
                avitoi_write_text(w, word + 1);
                between = ",";
            }
        }
    }
    avitoi_endpoint_query_page(w, c, &separator);
}

static void avitoi_endpoint_query_messages(struct avitoi_writer *w, const avito_client *c,
                                           char which)
{
    char separator = '?';
    (void)which;
    avitoi_endpoint_query_page(w, c, &separator);
}

/* The name is repeated for each id. Of the two ways in use, this is the one that both kinds of server
 * understand when there is only one id. */
static void avitoi_endpoint_query_voices(struct avitoi_writer *w, const avito_client *c, char which)
{
    const char *const *ids = (const char *const *)c->priv.args.as.many.items;
    char separator = '?';
    size_t i;
    (void)which;
    for (i = 0; i < c->priv.args.as.many.count; i++) {
        avitoi_endpoint_query_name(w, &separator, "voice_ids");
        avitoi_write_percent(w, ids[i]);
    }
}

/* ---- bodies ---- */

/* The users of the blacklist, as the members of a JSON array. */
static void avitoi_endpoint_write_users(struct avitoi_writer *w, const avito_client *c, char which)
{
    const avito_blacklist_user *users = (const avito_blacklist_user *)c->priv.args.as.many.items;
    size_t i;
    (void)which;
    for (i = 0; i < c->priv.args.as.many.count; i++) {
        avitoi_write_text(w, i == 0 ? "{\"user_id\":" : ",{\"user_id\":");
        avitoi_write_int(w, users[i].user_id);
        avitoi_write_text(w, ",\"context\":{");
        if (users[i].item_id != 0) {
            avitoi_write_text(w, "\"item_id\":");
            avitoi_write_int(w, users[i].item_id);
            avitoi_write_char(w, ',');
        }
        avitoi_write_text(w, "\"reason_id\":");
        avitoi_write_int(w, (int64_t)users[i].reason);
        avitoi_write_text(w, "}}");
    }
}

/* ---- the table ----
 *
 * A pattern is written as it is, except
 *
 *     %m /messenger/v   %u /accounts/ and user_id   %c /chats/ and chat_id
 *     %t the call's text, message id or code   %j the same in JSON
 *     %i client_id   %s client_secret   %r refresh token   %b boundary and %w other things, by `write`
 */

#define AVITOI_ENDPOINT(name, path, type, body, write, answer, end, special, flags)                \
    static const char avitoi_endpoint_path_##name[] = path;                                        \
    static const struct avitoi_endpoint avitoi_endpoint_##name = {                                 \
        avitoi_endpoint_path_##name, type, body, write, answer, end, special, flags,               \
        AVITOI_ENDPOINT_NUMBER_##name}

static const char avitoi_endpoint_type_json[] = "application/json";
static const char avitoi_endpoint_type_form[] = "application/x-www-form-urlencoded";
static const char avitoi_endpoint_type_multipart[] = "multipart/form-data; boundary=%b";

#define AVITOI_ENDPOINT_CREDENTIALS "&client_id=%i&client_secret=%s"

static const char avitoi_endpoint_body_credentials[] =
    "grant_type=client_credentials" AVITOI_ENDPOINT_CREDENTIALS;
static const char avitoi_endpoint_body_code[] =
    "grant_type=authorization_code&code=%t" AVITOI_ENDPOINT_CREDENTIALS "%w";
static const char avitoi_endpoint_body_refresh[] =
    "grant_type=refresh_token&refresh_token=%r" AVITOI_ENDPOINT_CREDENTIALS;
static const char avitoi_endpoint_body_message[] = "{\"message\":{\"text\":%j},\"type\":\"text\"}";
static const char avitoi_endpoint_body_image[] = "{\"image_id\":%j}";
static const char avitoi_endpoint_body_url[] = "{\"url\":%j}";
static const char avitoi_endpoint_body_users[] = "{\"users\":[%w]}";
static const char avitoi_endpoint_body_multipart[] =
    "--%b\r\nContent-Disposition: form-data; name=\"uploadfile[]\"; filename=\"%w\r\n--%b--\r\n";

/* POST unless AVITOI_ENDPOINT_POST is missing. The paths are the description's, to the last slash. */
AVITOI_ENDPOINT(get_token, "/token", avitoi_endpoint_type_form, avitoi_endpoint_body_credentials, NULL,
                &avitoi_schema_token.schema, NULL, NULL, AVITOI_ENDPOINT_POST | AVITOI_ENDPOINT_TOKEN);
AVITOI_ENDPOINT(exchange_code, "/token", avitoi_endpoint_type_form, avitoi_endpoint_body_code,
                avitoi_authorize_write_redirect, &avitoi_schema_token.schema, NULL, NULL,
                AVITOI_ENDPOINT_POST | AVITOI_ENDPOINT_TOKEN | AVITOI_ENDPOINT_SPENDS | AVITOI_ENDPOINT_CODE);
AVITOI_ENDPOINT(refresh_token, "/token", avitoi_endpoint_type_form, avitoi_endpoint_body_refresh, NULL,
                &avitoi_schema_token.schema, avitoi_token_reuse_refresh, NULL,
                AVITOI_ENDPOINT_POST | AVITOI_ENDPOINT_TOKEN | AVITOI_ENDPOINT_SPENDS |
                    AVITOI_ENDPOINT_REFRESH);
AVITOI_ENDPOINT(get_self, "/core/v1/accounts/self", NULL, NULL, NULL, &avitoi_schema_self.schema,
                avitoi_answer_self, &avitoi_endpoint_one_special, 0u);
AVITOI_ENDPOINT(get_chats, "%m2%u/chats%w", NULL, NULL,
                avitoi_endpoint_query_chats, &avitoi_schema_chats.schema, avitoi_list_over,
                &avitoi_endpoint_list_special, AVITOI_ENDPOINT_STREAM);
AVITOI_ENDPOINT(get_chat, "%m2%u%c", NULL, NULL, NULL, &avitoi_schema_chat.schema,
                avitoi_answer_id, &avitoi_endpoint_one_special, 0u);
AVITOI_ENDPOINT(get_messages, "%m3%u%c/messages/%w", NULL, NULL,
                avitoi_endpoint_query_messages, &avitoi_schema_messages.schema, avitoi_list_over,
                &avitoi_endpoint_list_special, AVITOI_ENDPOINT_STREAM);
AVITOI_ENDPOINT(send_message, "%m1%u%c/messages", avitoi_endpoint_type_json,
                avitoi_endpoint_body_message, NULL, NULL, NULL, NULL,
                AVITOI_ENDPOINT_POST | AVITOI_ENDPOINT_CHANGES | AVITOI_ENDPOINT_ID);
AVITOI_ENDPOINT(upload_image, "%m1%u/uploadImages",
                avitoi_endpoint_type_multipart, avitoi_endpoint_body_multipart, avitoi_send_write_multipart,
                &avitoi_schema_uploads.schema, avitoi_send_uploaded, &avitoi_endpoint_upload_special,
                AVITOI_ENDPOINT_POST | AVITOI_ENDPOINT_CHANGES | AVITOI_ENDPOINT_MULTIPART);
AVITOI_ENDPOINT(send_image_message, "%m1%u%c/messages/image",
                avitoi_endpoint_type_json, avitoi_endpoint_body_image, NULL, NULL, NULL, NULL,
                AVITOI_ENDPOINT_POST | AVITOI_ENDPOINT_CHANGES | AVITOI_ENDPOINT_ID);
AVITOI_ENDPOINT(delete_message, "%m1%u%c/messages/%t", NULL, NULL, NULL,
                NULL, NULL, NULL, AVITOI_ENDPOINT_POST | AVITOI_ENDPOINT_CHANGES);
AVITOI_ENDPOINT(mark_chat_as_read, "%m1%u%c/read", NULL, NULL, NULL, NULL,
                NULL, NULL, AVITOI_ENDPOINT_POST | AVITOI_ENDPOINT_CHANGES);
AVITOI_ENDPOINT(get_voice_files, "%m1%u/getVoiceFiles%w", NULL, NULL,
                avitoi_endpoint_query_voices, &avitoi_schema_voices.schema, avitoi_list_over,
                &avitoi_endpoint_list_special, AVITOI_ENDPOINT_STREAM);
AVITOI_ENDPOINT(subscribe_webhook, "%m3/webhook", avitoi_endpoint_type_json,
                avitoi_endpoint_body_url, NULL, NULL, NULL, NULL,
                AVITOI_ENDPOINT_POST | AVITOI_ENDPOINT_CHANGES);
AVITOI_ENDPOINT(unsubscribe_webhook, "%m1/webhook/unsubscribe", avitoi_endpoint_type_json,
                avitoi_endpoint_body_url, NULL, NULL, NULL, NULL,
                AVITOI_ENDPOINT_POST | AVITOI_ENDPOINT_CHANGES);
AVITOI_ENDPOINT(get_webhook_subscriptions, "%m1/subscriptions", NULL, NULL, NULL,
                &avitoi_schema_subscriptions.schema, avitoi_list_over, &avitoi_endpoint_list_special,
                AVITOI_ENDPOINT_POST | AVITOI_ENDPOINT_STREAM | AVITOI_ENDPOINT_OK);
AVITOI_ENDPOINT(add_to_blacklist, "%m2%u/blacklist",
                avitoi_endpoint_type_json, avitoi_endpoint_body_users, avitoi_endpoint_write_users, NULL,
                NULL, NULL, AVITOI_ENDPOINT_POST | AVITOI_ENDPOINT_CHANGES);

/* ======================================================================= *
 * >>32 REQUEST
 * ======================================================================= *
 *
 * The request as a whole, from an endpoint's patterns and the arguments of the call. Comes in: a lane
 * whose priv.request, args and token are set. Goes out: the bytes that the writer has room for. May not
 * change the lane.
 */

/* The host, as a URL has it. */
static void avitoi_request_host(struct avitoi_writer *w, const avito_account *a)
{
    const size_t brackets = strchr(a->o.host, ':') != NULL ? 1u : 0u; /* of IPv6 */
    avitoi_write(w, "[", brackets);
    avitoi_write_text(w, a->o.host);
    avitoi_write(w, "]", brackets);
    if (a->o.port != 443) {
        avitoi_write_char(w, ':');
        avitoi_write_int(w, a->o.port);
    }
}

/* Writes what % and `which` mean in a pattern. */
static void avitoi_request_argument(struct avitoi_writer *w, const avito_client *c, char which)
{
    const avito_account *a = c->account;
    switch (which) {
        case 'm':
            avitoi_write_text(w, "/messenger/v");
            break;
        case 'u':
            avitoi_write_text(w, "/accounts/");
            avitoi_write_int(w, c->priv.args.user_id);
            break;
        case 'c':
            avitoi_write_text(w, "/chats/");
            avitoi_write_percent(w, c->priv.args.chat_id);
            break;
        case 't':
            avitoi_write_percent(w, c->priv.args.text);
            break;
        case 'j':
            avitoi_write_json(w, avitoi_text_of(c->priv.args.text));
            break;
        case 'i':
            avitoi_write_percent(w, a->o.client_id);
            break;
        case 's':
            avitoi_write_percent(w, a->o.client_secret);
            break;
        case 'r':
            avitoi_write_percent(w, a->priv.refresh);
            break;
        default:
            (c->priv.request->write)(w, c, which);
            break;
    }
}

static void avitoi_request_pattern(struct avitoi_writer *w, const avito_client *c,
                                   const char *pattern)
{
    const char *percent;
    while ((percent = strchr(pattern, '%')) != NULL) {
        avitoi_write(w, pattern, (size_t)(percent - pattern));
        avitoi_request_argument(w, c, percent[1]);
        pattern = percent + 2;
    }
    avitoi_write_text(w, pattern);
}

static void avitoi_request_body(struct avitoi_writer *w, const avito_client *c)
{
    if (c->priv.request->body != NULL) {
        avitoi_request_pattern(w, c, c->priv.request->body);
    }
}

/* Counts the body's bytes: the head comes first and tells them. */
static uint32_t avitoi_request_measure_body(const avito_client *c)
{
    struct avitoi_writer w;
    memset(&w, 0, sizeof w);
    w.out = (char *)c->o.window; /* only for analysers: w.cap is 0 */
    avitoi_request_body(&w, c);
    return w.total;
}

/* Writes head and body: nothing but what the API needs, and what the program adds. */
static void avitoi_request_write(struct avitoi_writer *w, const avito_client *c)
{
    const struct avitoi_endpoint *request = c->priv.request;
    const bool post = (request->flags & AVITOI_ENDPOINT_POST) != 0;
    avitoi_write_text(w, post ? "POST " : "GET ");
    avitoi_request_pattern(w, c, request->path);
    avitoi_write_text(w, " HTTP/1.1\r\nHost: ");
    avitoi_request_host(w, c->account);
    if ((request->flags & AVITOI_ENDPOINT_TOKEN) == 0) {
        avitoi_write_text(w, "\r\nAuthorization: Bearer ");
        avitoi_write(w, c->priv.access, c->priv.access_len);
    }
    if (request->type != NULL) {
        avitoi_write_text(w, "\r\nContent-Type: ");
        avitoi_request_pattern(w, c, request->type);
    }
    if (post) {
        avitoi_write_text(w, "\r\nContent-Length: ");
        avitoi_write_int(w, (int64_t)avitoi_request_measure_body(c));
    }
    if (c->o.priv.headers != NULL) {
        c->o.priv.headers->priv.put(w, c->o.priv.headers);
    }
    avitoi_write_text(w, "\r\n\r\n");
    avitoi_request_body(w, c);
}

/* ======================================================================= *
 * >>33 HTTP BODY FRAMING
 * ======================================================================= *
 *
 * Where a body ends, for requests and answers alike: by its length, by chunks, or with the stream.
 * Strict: two readers of one stream that differ about a length can be made to take one person's
 * bytes for another's message. A chunk has 1 to 15 hex digits, lines end with CR LF and nothing
 * else, extensions and trailers are checked and dropped. Every state is a place where input can end.
 * Only an answer may have blanks after a chunk's size (RFC 9112, 7.1.1: servers send them).
 *
 * Comes in: bytes after the head. Goes out: runs of body bytes, and where the body ends. May not look
 * into the body.
 */

#define AVITOI_BODY_LINE_MAX     256u   /* one size line with its extensions */
#define AVITOI_BODY_TRAILER_MAX  4096u  /* all trailers together */
#define AVITOI_BODY_OVERHEAD_MAX 65536u /* of avitoi_body.overhead */
#define AVITOI_BODY_DIGITS_MAX   15u

/* What this chapter's functions return: AVITO_AGAIN, an error, or this. */
typedef int avitoi_body_result;
#define AVITOI_BODY_COMPLETE 32

/* Modes: how the body ends. */
enum {
    AVITOI_BODY_LENGTH,
    AVITOI_BODY_UNTIL_CLOSE,
    AVITOI_BODY_CHUNKED,
    AVITOI_BODY_CHUNKED_BLANKS /* of an answer: blanks may follow a size */
};

/* States. Up to END_LF the next byte is framing. */
enum {
    AVITOI_BODY_SIZE,    /* in the hex digits of a chunk's size */
    AVITOI_BODY_BLANKS,
    AVITOI_BODY_EXTENSION,
    AVITOI_BODY_SIZE_LF,
    AVITOI_BODY_DATA_CR, /* after a chunk */
    AVITOI_BODY_DATA_LF,
    AVITOI_BODY_TRAILER, /* at the start of a trailer line */
    AVITOI_BODY_TRAILER_NAME,
    AVITOI_BODY_TRAILER_VALUE,
    AVITOI_BODY_TRAILER_LF,
    AVITOI_BODY_END_LF,  /* before the last byte */
    AVITOI_BODY_DATA,
    AVITOI_BODY_DONE,
    AVITOI_BODY_BAD
};

/* `length` counts only for AVITOI_BODY_LENGTH. */
static void avitoi_body_init(struct avitoi_body *b, int mode, size_t length)
{
    memset(b, 0, sizeof *b);
    b->mode = (uint8_t)mode;
    if (mode >= AVITOI_BODY_CHUNKED) {
        b->state = AVITOI_BODY_SIZE;
        return;
    }
    b->left = mode == AVITOI_BODY_LENGTH ? length : SIZE_MAX;
    b->state = (uint8_t)(b->left > 0 ? AVITOI_BODY_DATA : AVITOI_BODY_DONE);
}

static int avitoi_body_after_size(const struct avitoi_body *b, unsigned char c)
{
    if (b->mode == AVITOI_BODY_CHUNKED_BLANKS && (c == ' ' || c == '\t')) {
        return AVITOI_BODY_BLANKS;
    }
    return c == ';' ? AVITOI_BODY_EXTENSION : c == '\r' ? AVITOI_BODY_SIZE_LF : AVITOI_BODY_BAD;
}

static int avitoi_body_size_byte(struct avitoi_body *b, unsigned char c)
{
    const unsigned digit = avitoi_text_hex_digit((char)c);
    if (digit < 16 && b->line <= AVITOI_BODY_DIGITS_MAX && b->left <= SIZE_MAX >> 4) {
        b->left = b->left << 4 | digit;
        return AVITOI_BODY_SIZE;
    }
    if (b->line < 2) {
        return AVITOI_BODY_BAD;
    }
    return avitoi_body_after_size(b, c);
}

/* The state after a byte of a run: `next` after its `end`, `same` after a legal byte, else BAD. */
static int avitoi_body_run(unsigned char c, unsigned char end, int next, bool legal, int same)
{
    return c == end ? next : legal ? same : (int)AVITOI_BODY_BAD;
}

/* Takes one byte of framing and returns the state that follows. */
AVITOI_APART_IF_SMALL static int avitoi_body_framing(struct avitoi_body *b, unsigned char c)
{
    const bool text = avitoi_text_is_http_text(c), token = avitoi_text_is_http_token(c);
    switch ((int)b->state) {
        case AVITOI_BODY_SIZE:
            return avitoi_body_size_byte(b, c);
        case AVITOI_BODY_BLANKS:
            return avitoi_body_after_size(b, c);
        case AVITOI_BODY_EXTENSION:
            return avitoi_body_run(c, '\r', AVITOI_BODY_SIZE_LF, text, AVITOI_BODY_EXTENSION);
        case AVITOI_BODY_SIZE_LF:
            b->line = 0;
            return c != '\n'     ? AVITOI_BODY_BAD
                   : b->left > 0 ? AVITOI_BODY_DATA
                                 : AVITOI_BODY_TRAILER;
        case AVITOI_BODY_DATA_CR:
            return c == '\r' ? AVITOI_BODY_DATA_LF : AVITOI_BODY_BAD;
        case AVITOI_BODY_DATA_LF:
            b->line = 0;
            return c == '\n' ? AVITOI_BODY_SIZE : AVITOI_BODY_BAD;
        case AVITOI_BODY_TRAILER:
            return avitoi_body_run(c, '\r', AVITOI_BODY_END_LF, token, AVITOI_BODY_TRAILER_NAME);
        case AVITOI_BODY_TRAILER_NAME:
            return avitoi_body_run(c, ':', AVITOI_BODY_TRAILER_VALUE, token, AVITOI_BODY_TRAILER_NAME);
        case AVITOI_BODY_TRAILER_VALUE:
            return avitoi_body_run(c, '\r', AVITOI_BODY_TRAILER_LF, text, AVITOI_BODY_TRAILER_VALUE);
        case AVITOI_BODY_TRAILER_LF:
            return c == '\n' ? AVITOI_BODY_TRAILER : AVITOI_BODY_BAD;
        default: /* AVITOI_BODY_END_LF */
            return c == '\n' ? AVITOI_BODY_DONE : AVITOI_BODY_BAD;
    }
}

static void avitoi_body_framing_byte(struct avitoi_body *b, unsigned char c)
{
    const unsigned limit =
        b->state >= AVITOI_BODY_TRAILER ? AVITOI_BODY_TRAILER_MAX : AVITOI_BODY_LINE_MAX;
    b->line++;
    b->overhead++;
    if (b->line > limit || b->overhead > AVITOI_BODY_OVERHEAD_MAX) {
        b->state = AVITOI_BODY_BAD;
        return;
    }
    b->state = (uint8_t)avitoi_body_framing(b, c);
}

/* Finds the next run of body bytes in data[0..len): data[*start .. *start + *body_len), maybe empty.
 * Takes *used bytes. AVITO_AGAIN: the body goes on, call again with the bytes after *used (at least
 * one was taken if len > 0). AVITOI_BODY_COMPLETE: what follows *used is not part of it.
 * AVITO_ERR_HTTP_CHUNK, which stays. With len 0 it tells whether the body is complete. */
static avitoi_body_result avitoi_body_feed(struct avitoi_body *b, const char *data, size_t len, size_t *start,
                                           size_t *body_len, size_t *used)
{
    size_t at = 0, n = 0;
    while (at < len && b->state < AVITOI_BODY_DATA) {
        avitoi_body_framing_byte(b, (unsigned char)data[at++]);
    }
    *start = at;
    if (b->state == AVITOI_BODY_DATA) {
        n = len - at < b->left ? len - at : b->left;
        b->left -= n;
        b->overhead -= n < b->overhead ? (uint32_t)n : b->overhead;
        if (b->left == 0) {
            b->state =
                (uint8_t)(b->mode >= AVITOI_BODY_CHUNKED ? AVITOI_BODY_DATA_CR : AVITOI_BODY_DONE);
        }
    }
    *body_len = n;
    *used = at + n;
    if (b->state == AVITOI_BODY_BAD) {
        return AVITO_ERR_HTTP_CHUNK;
    }
    return b->state == AVITOI_BODY_DONE ? AVITOI_BODY_COMPLETE : AVITO_AGAIN;
}

/* The result when the stream has ended: AVITOI_BODY_COMPLETE or CLOSED. */
static avitoi_body_result avitoi_body_at_close(const struct avitoi_body *b)
{
    const bool complete = b->state == AVITOI_BODY_DONE || b->mode == AVITOI_BODY_UNTIL_CLOSE;
    return complete ? AVITOI_BODY_COMPLETE : (int)AVITO_ERR_CLOSED;
}

/* ======================================================================= *
 * >>34 RESPONSE HEAD
 * ======================================================================= *
 *
 * Read byte by byte: there is a state wherever input can end, so no line has to fit anywhere. Names and
 * values of interest are gathered in the JSON machine's word, which is free until the body begins.
 *
 * Comes in: bytes. Goes out: status, length, date and what the server asks for. May not keep a line.
 */

#define AVITOI_HEAD_RETRY_MAX_S 86400u /* a server that asks for more than a day gets a day */
#define AVITOI_HEAD_MAX 65536u /* bytes of a head, with those of the 1xx answers before it */

/* What reading a head returns: AVITO_AGAIN, AVITO_ERR_HTTP*, or this, after the empty line. */
typedef int avitoi_head_result;
#define AVITOI_HEAD_COMPLETE 33

enum {
    AVITOI_HEAD_VERSION, /* up to the last digit of the status */
    AVITOI_HEAD_STATUS,  /* after it */
    AVITOI_HEAD_REASON,
    AVITOI_HEAD_LINE,    /* at the start of a header line */
    AVITOI_HEAD_NAME,
    AVITOI_HEAD_VALUE,
    AVITOI_HEAD_LF,
    AVITOI_HEAD_LAST_LF  /* before the last byte */
};

/* The headers of interest; those of every answer first. */
#define AVITOI_HEAD_FIELDS(X)                                                                      \
    X(DATE, date) X(LENGTH, content-length) X(CONNECTION, connection)                              \
    X(CODING, transfer-encoding) X(RETRY_AFTER, retry-after) X(LIMIT, x-ratelimit-limit)           \
    X(REMAINING, x-ratelimit-remaining)
#define AVITOI_HEAD_FIELD_(name, word) AVITOI_HEAD_FIELD_##name,
enum { AVITOI_HEAD_FIELD_NONE, AVITOI_HEAD_FIELDS(AVITOI_HEAD_FIELD_) AVITOI_HEAD_FIELD_OTHER };
AVITOI_TEXT_WORDS(avitoi_head_fields, AVITOI_HEAD_FIELDS);

static void avitoi_head_begin(struct avitoi_head *h)
{
    const struct avitoi_head before = *h;
    memset(h, 0, sizeof *h);
    h->bytes = before.bytes;
    h->more = before.more;
}

/* Is the value one of interest? That of the status line, its reason, is not. */
static bool avitoi_head_gathers(const struct avitoi_head *h)
{
    return h->header != AVITOI_HEAD_FIELD_NONE && h->header != AVITOI_HEAD_FIELD_OTHER;
}

/* Keeps a byte in lower case. A length beyond AVITOI_JSON_WORD says that there were more. */
AVITOI_APART_IF_SMALL static void avitoi_head_gather(struct avitoi_head *h, char *word, char c)
{
    if (h->word_len < AVITOI_JSON_WORD) {
        word[h->word_len] = avitoi_text_lower(c);
    }
    h->word_len = (uint8_t)(h->word_len + (h->word_len <= AVITOI_JSON_WORD ? 1u : 0u));
}

static int avitoi_head_length(struct avitoi_head *h, avito_str value)
{
    int64_t length;
    if (value.len == 0 || value.ptr[0] == '-' ||
        !avitoi_number_parse_int(value.ptr, value.len, &length) || (uint64_t)length > SIZE_MAX ||
        h->has_length) {
        return AVITO_ERR_HTTP_LENGTH;
    }
    h->has_length = true;
    h->length = (size_t)length;
    return AVITO_AGAIN;
}

/* The value as a count, at most AVITOI_HEAD_RETRY_MAX_S, also if it was cut; 0: it is not a number. */
static uint32_t avitoi_head_count(avito_str value)
{
    uint32_t count = 0;
    for (; value.len > 0; value.len--, value.ptr++) {
        if (!avitoi_number_is_digit(*value.ptr)) {
            return 0;
        }
        count = count * 10u + (uint32_t)(*value.ptr - '0');
        count = count > AVITOI_HEAD_RETRY_MAX_S ? AVITOI_HEAD_RETRY_MAX_S : count;
    }
    return count;
}

/* The value of a header is complete, in lower case. Not `whole`: it was longer than what was kept. */
static int avitoi_head_value(struct avitoi_head *h, avito_str value, bool whole)
{
    avitoi_text_trim(&value);
    switch ((int)h->header) {
        case AVITOI_HEAD_FIELD_LENGTH:
            return whole ? avitoi_head_length(h, value) : AVITO_ERR_HTTP_LENGTH;
        case AVITOI_HEAD_FIELD_CODING:
            if (!whole || h->chunked || !avito_str_equal(value, "chunked")) {
                return AVITO_ERR_HTTP_LENGTH;
            }
            h->chunked = true;
            return AVITO_AGAIN;
        case AVITOI_HEAD_FIELD_CONNECTION:
            if (!whole || avitoi_text_has_token(value, "close")) {
                h->close = true;
            }
            if (avitoi_text_has_token(value, "keep-alive")) {
                h->persistent = true;
            }
            return AVITO_AGAIN;
        case AVITOI_HEAD_FIELD_RETRY_AFTER:
            h->retry_after_s = avitoi_head_count(value);
            break;
        default:
            break;
    }
    if (h->more != NULL) {
        h->more(h, value);
    }
    return AVITO_AGAIN;
}

static int avitoi_head_name(struct avitoi_head *h, const char *word)
{
    avito_str name;
    if (h->word_len == 0) {
        return AVITO_ERR_HTTP;
    }
    name.ptr = word;
    name.len = h->word_len;
    h->header = (uint8_t)avitoi_text_word_number(&avitoi_head_fields, name);
    h->word_len = 0;
    h->state = AVITOI_HEAD_VALUE;
    return AVITO_AGAIN;
}

/* A byte of the status line: "HTTP/1.", 0 or 1, a blank, three digits. */
static int avitoi_head_status_byte(struct avitoi_head *h, char c)
{
    static const char line[] = "HTTP/1.x ###";
    const char expected = line[h->word_len];
    const unsigned digit = (unsigned)avitoi_text_byte(c) - '0';
    if (h->state == AVITOI_HEAD_STATUS) {
        h->state = (c == '\r') ? AVITOI_HEAD_LF : AVITOI_HEAD_REASON;
        return (c == ' ' || c == '\r') ? AVITO_AGAIN : AVITO_ERR_HTTP;
    }
    if (expected == 'x' ? digit > 1u : expected == '#' ? digit > 9u : c != expected) {
        return AVITO_ERR_HTTP;
    }
    if (expected == 'x') {
        if (digit == 0) {
            h->http10 = true; /* such a server closes unless it says otherwise */
        } else {
            h->persistent = true;
        }
    } else if (expected == '#') {
        h->status = (uint16_t)(h->status * 10u + digit);
    }
    h->word_len++;
    if (line[h->word_len] == '\0') {
        h->state = AVITOI_HEAD_STATUS;
        return h->status >= 100 ? AVITO_AGAIN : AVITO_ERR_HTTP;
    }
    return AVITO_AGAIN;
}

/* One byte of the head. */
AVITOI_APART_IF_SMALL static avitoi_head_result avitoi_head_byte(struct avitoi_head *h, char *word, char c)
{
    if (++h->bytes > AVITOI_HEAD_MAX) {
        return AVITO_ERR_HTTP_HEAD;
    }
    switch ((int)h->state) {
        case AVITOI_HEAD_REASON:
        case AVITOI_HEAD_VALUE:
            if (c == '\r') {
                const bool whole = h->word_len <= AVITOI_JSON_WORD;
                avito_str value;
                value.ptr = word;
                value.len = whole ? h->word_len : AVITOI_JSON_WORD;
                h->state = AVITOI_HEAD_LF;
                return avitoi_head_value(h, value, whole);
            }
            if (!avitoi_text_is_http_text(avitoi_text_byte(c))) {
                return AVITO_ERR_HTTP;
            }
            if (avitoi_head_gathers(h) && (h->word_len > 0 || (c != ' ' && c != '\t'))) {
                avitoi_head_gather(h, word, c);
            }
            return AVITO_AGAIN;
        case AVITOI_HEAD_LF:
            h->state = AVITOI_HEAD_LINE;
            h->word_len = 0;
            return (c == '\n') ? AVITO_AGAIN : AVITO_ERR_HTTP;
        case AVITOI_HEAD_LAST_LF:
            return (c == '\n') ? AVITOI_HEAD_COMPLETE : (int)AVITO_ERR_HTTP;
        case AVITOI_HEAD_LINE:
            if (c == '\r') {
                h->state = AVITOI_HEAD_LAST_LF;
                return AVITO_AGAIN;
            }
            h->state = AVITOI_HEAD_NAME;
            break;
        case AVITOI_HEAD_NAME:
            break;
        default:
            return avitoi_head_status_byte(h, c);
    }
    if (c == ':') {
        return avitoi_head_name(h, word);
    }
    avitoi_head_gather(h, word, c);
    return avitoi_text_is_http_token(avitoi_text_byte(c)) ? AVITO_AGAIN : AVITO_ERR_HTTP;
}

/* Twins for plain lines that are wholly in the window: they read a word at a time (>>43). */
#if AVITO_WITH_SHORTCUTS && defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define AVITOI_FAST_HEAD 1
static size_t avitoi_fast_status_line(struct avitoi_head *h, const char *p, size_t n);
static size_t avitoi_fast_head_line(struct avitoi_head *h, char *word, const char *p, size_t n, int *rc);
#else
#define AVITOI_FAST_HEAD 0
#endif

/* How the body ends. AVITO_ERR_HTTP_LENGTH: two ways at once. */
static int avitoi_head_framing(const struct avitoi_head *h, struct avitoi_body *body)
{
    if (h->chunked && h->has_length) {
        return AVITO_ERR_HTTP_LENGTH;
    }
    if (h->status == 204 || h->status == 304) {
        avitoi_body_init(body, AVITOI_BODY_LENGTH, 0);
    } else {
        const int end = h->has_length ? AVITOI_BODY_LENGTH : AVITOI_BODY_UNTIL_CLOSE;
        avitoi_body_init(body, h->chunked ? (int)AVITOI_BODY_CHUNKED_BLANKS : end, h->length);
    }
    return AVITO_OK;
}

/* ======================================================================= *
 * >>35 ACCOUNT
 * ======================================================================= *
 *
 * What lanes share: credentials, hooks, and account.priv, which is read and written under the lock. Comes
 * in: the application's options. Goes out: an account that is ready, or the option at fault. May not know
 * of calls.
 */

static void avitoi_account_lock(const avito_account *a)
{
    if (a->o.lock != NULL) {
        a->o.lock(a->o.ctx);
    }
}

static void avitoi_account_unlock(const avito_account *a)
{
    if (a->o.unlock != NULL) {
        a->o.unlock(a->o.ctx);
    }
}

static uint32_t avitoi_account_now(const avito_account *a)
{
    return a->o.clock_ms(a->o.ctx);
}

AVITO_API avito_account_options avito_account_options_default(void)
{
    avito_account_options options = AVITOI_ZERO;
    return options;
}

/* Is it a name or a numeric address? (After one colon there would be a port. Brackets are a URL's.) */
static bool avitoi_account_is_host(const char *host)
{
    const char *colon;
    if (!avitoi_text_is_word(host) || host[strcspn(host, "/@?#[]")] != '\0') {
        return false;
    }
    colon = strchr(host, ':');
    return colon == NULL || strchr(colon + 1, ':') != NULL;
}

/* Names an option whose part is not linked. Without AVITO_TINY every part is. */
static int avitoi_account_check_parts(const avito_account_options *o)
{
    if (!AVITO_TINY) {
        return AVITO_OK;
    }
    if (o->priv.store == NULL && (o->load_token != NULL || o->save_token != NULL)) {
        return AVITO_ERR_OPTION_TOKEN_STORE;
    }
    if (o->priv.diagnostics == NULL && o->trace != NULL) {
        return AVITO_ERR_OPTION_DIAGNOSTICS;
    }
    return (o->priv.lanes == NULL && o->lock != NULL) ? AVITO_ERR_OPTION_LANES : AVITO_OK;
}

/* One lane has no use for two copies of the token. */
static bool avitoi_account_one_copy(const avito_account_options *o)
{
    return AVITO_TINY && o->priv.lanes == NULL;
}

/* The first option at fault. */
static int avitoi_account_check(const avito_account_options *o)
{
    if (!avitoi_text_is_word(o->client_id) || !avitoi_text_is_word(o->client_secret)) {
        return AVITO_ERR_OPTION_CREDENTIALS;
    }
    if (o->tokens == NULL ||
        o->tokens_cap <
            (avitoi_account_one_copy(o) ? AVITO_TOKENS_SIZE_ONE_LANE(1) : AVITO_TOKENS_SIZE(1))) {
        return AVITO_ERR_OPTION_TOKENS;
    }
    if (o->host != NULL && !avitoi_account_is_host(o->host)) {
        return AVITO_ERR_OPTION_HOST;
    }
    if ((o->lock == NULL) != (o->unlock == NULL)) {
        return AVITO_ERR_ARGUMENT;
    }
    return (o->clock_ms == NULL) ? AVITO_ERR_OPTION_CLOCK : avitoi_account_check_parts(o);
}

AVITO_API int avito_account_init(avito_account *account, const avito_account_options *options)
{
    int rc;
    if (account == NULL || options == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    memset(account, 0, sizeof *account);
    rc = avitoi_account_check(options);
    if (rc != AVITO_OK) { /* it is not initialised: no lane can begin on it */
        return rc;
    }
    account->o = *options;
    if (options->host == NULL) {
        account->o.host = "api.avito.ru";
    }
    account->o.port = (uint16_t)(options->port != 0 ? options->port : 443);
    account->o.renew_before_s = avitoi_number_or(options->renew_before_s, 300);
#if !AVITO_TINY
    avito_enable_token_store(&account->o);
    avito_enable_diagnostics(&account->o);
    avito_enable_lanes(&account->o);
    account->priv.renewal = &avitoi_endpoint_refresh_token;
#endif
    return AVITO_OK;
}

static bool avitoi_account_flag(const avito_account *a, bool doubt)
{
    bool value;
    avitoi_account_lock(a);
    value = doubt ? a->priv.refresh_in_doubt : a->priv.unpaid;
    avitoi_account_unlock(a);
    return value;
}

AVITO_API bool avito_account_unpaid(const avito_account *account)
{
    return account != NULL && avitoi_account_flag(account, false);
}

AVITO_API bool avito_account_refresh_in_doubt(const avito_account *account)
{
    return account != NULL && avitoi_account_flag(account, true);
}

/* ======================================================================= *
 * >>36 CALL
 * ======================================================================= *
 *
 * The states of a call, the table of their changes, and what other chapters need to know of the call that a
 * lane is in. Every change of state goes through avitoi_call_move(). Comes in: an event. Goes out: the
 * next state. May not read bytes of an answer, or decide anything.
 */

enum {
    AVITOI_CALL_IDLE,
    AVITOI_CALL_ACCOUNT, /* waits for a token, or for the account's rate */
    AVITOI_CALL_CONNECT,
    AVITOI_CALL_SEND,
    AVITOI_CALL_HEAD,
    AVITOI_CALL_BODY,
    AVITOI_CALL_ROW,     /* list: an element is with the caller */
    AVITOI_CALL_DRAIN,   /* list: the rest is read and dropped */
    AVITOI_CALL_STATES
};

/* X(event, the state that it leads to, the states in which it may come):
 *
 *     TOKEN    there is a token, or this lane shall fetch it
 *     WRITTEN  the transport took the last byte
 *     ANSWER   a final head was read, perhaps before the last byte was sent
 *     REPEAT   another request for the same call: after a token, for the next page, or because the first
 *              one failed */
#define AVITOI_CALL_IN(state) 1u << AVITOI_CALL_##state
#define AVITOI_CALL_EVERY     ((1u << AVITOI_CALL_STATES) - 1u)
#define AVITOI_CALL_EDGES(X)                                                                       \
    X(START, ACCOUNT, AVITOI_CALL_IN(IDLE))                                                        \
    X(TOKEN, CONNECT, AVITOI_CALL_IN(ACCOUNT))                                                     \
    X(CONNECTED, SEND, AVITOI_CALL_IN(CONNECT))                                                    \
    X(WRITTEN, HEAD, AVITOI_CALL_IN(SEND))                                                         \
    X(ANSWER, BODY, AVITOI_CALL_IN(SEND) | AVITOI_CALL_IN(HEAD))                                   \
    X(ELEMENT, ROW, AVITOI_CALL_IN(BODY))                                                          \
    X(NEXT, BODY, AVITOI_CALL_IN(ROW))                                                             \
    X(REPEAT, ACCOUNT,                                                                             \
      AVITOI_CALL_IN(ACCOUNT) | AVITOI_CALL_IN(CONNECT) | AVITOI_CALL_IN(SEND) |                    \
          AVITOI_CALL_IN(HEAD) | AVITOI_CALL_IN(BODY) | AVITOI_CALL_IN(DRAIN))                     \
    X(DRAIN, DRAIN, AVITOI_CALL_IN(BODY) | AVITOI_CALL_IN(ROW))                                    \
    X(END, IDLE, AVITOI_CALL_EVERY)
#define AVITOI_CALL_EVENT_(event, next, states) AVITOI_CALL_EV_##event,
#define AVITOI_CALL_EDGE_(event, next, states) {states, AVITOI_CALL_##next},
enum { AVITOI_CALL_EDGES(AVITOI_CALL_EVENT_) AVITOI_CALL_EVENTS };

static const struct {
    uint8_t states, next;
} avitoi_call_edges[] = {AVITOI_CALL_EDGES(AVITOI_CALL_EDGE_)};
AVITOI_ASSERT(call_states_have_a_bit_each, AVITOI_CALL_STATES <= 8);

/* A state's handler returns it: the next state's handler is called at once. */
#define AVITOI_CALL_MOVED 34

/* No private result has the number of a public one, or of another private one. */
AVITOI_ASSERT(private_results,
              AVITO_END < AVITOI_JSON_VALUE && AVITOI_JSON_VALUE < AVITOI_JSON_ELEMENT &&
                  AVITOI_JSON_ELEMENT < AVITOI_JSON_UNKNOWN && AVITOI_JSON_UNKNOWN < AVITOI_BODY_COMPLETE &&
                  AVITOI_BODY_COMPLETE < AVITOI_HEAD_COMPLETE && AVITOI_HEAD_COMPLETE < AVITOI_CALL_MOVED);

/* An event that the state does not know is a defect of this file: the lane stays where it is. */
static avitoi_call_result avitoi_call_move(avito_client *c, unsigned event)
{
    if ((avitoi_call_edges[event].states >> c->priv.state & 1u) == 0) {
        return AVITO_ERR_ARGUMENT;
    }
    c->priv.state = avitoi_call_edges[event].next;
    return AVITOI_CALL_MOVED;
}

/* ---- parts that may be linked ---- */

struct avitoi_call_diagnostics {
    void (*trace)(const avito_client *c, unsigned what);
    void (*mask)(avito_client *c);
    void (*keep_body)(avito_client *c, const char *data, size_t len);
};

struct avitoi_call_lanes {
    int (*duty)(avito_client *c);         /* see avitoi_token_take_duty() */
    bool (*waits)(const avito_client *c); /* does another lane have to move first? */
    bool (*gone)(const avito_client *c);  /* see avitoi_call_token_gone() */
};

/* What avito_enable_retries() links: retries, and the rate. */
struct avitoi_call_retries {
    bool (*again)(avito_client *c, int code); /* begins the call again, or says false; NULL: only the rate */
    void (*read_head)(struct avitoi_head *h, avito_str value); /* a line that only the rate needs */
    void (*heed)(avito_client *c);            /* does what an answer says of the rate */
    int (*gate)(avito_client *c);             /* is the account's gate open? */
    void (*pass)(avito_account *a);           /* a request goes through it */
    uint32_t (*gate_wait)(const avito_account *a); /* milliseconds until it opens */
    const struct avitoi_call_retries *dated; /* the same for the inbox, which needs the date of each answer */
};

/* ---- what a call is ---- */

static bool avitoi_call_succeeded(const avito_client *c)
{
    return c->priv.status / 100u == 2u;
}

static bool avitoi_call_token_gone(const avito_client *c)
{
    const struct avitoi_call_lanes *lanes = c->account->o.priv.lanes;
    return lanes != NULL && lanes->gone(c);
}

static bool avitoi_call_may_wait(const avito_client *c)
{
    return c->o.transport.functions->wait != NULL && !c->o.never_wait;
}

/* ---- for all later chapters ---- */

static void avitoi_call_forget_body(avito_client *c)
{
    c->priv.raw_len = 0;
    c->error.text[0] = '\0';
    if (c->o.error_body_cap > 0) {
        c->o.error_body[0] = '\0';
    }
}

/* What an earlier call or request has left does not belong to the next one. */
AVITOI_APART_IF_SMALL static void avitoi_call_forget_error(avito_client *c)
{
    memset(&c->error, 0, sizeof c->error);
    avitoi_call_forget_body(c);
}

/* Begins another request for the same call. */
AVITOI_APART_IF_SMALL static avitoi_call_result avitoi_call_repeat(avito_client *c, uint32_t pause_ms)
{
    avitoi_call_forget_error(c);
    c->priv.status = 0;
    c->priv.written = false;
    c->priv.waiting = false; /* what it waited for may have been refused: it asks again */
    c->priv.idle_left_ms = pause_ms;
    return avitoi_call_move(c, AVITOI_CALL_EV_REPEAT);
}

/* What is traced, as words of a list. The request's name follows the first two words; the call's name
 * follows all others except the third. */
#define AVITOI_CALL_TRACES(X)                                                                      \
    X(REQUEST, "request ") X(ANSWER, "answer ") X(TOKEN, "token renewed") X(AGAIN, "again ")       \
    X(DRY_RUN, "dry run ") X(SETTLE, "settle ") X(DONE, "done ") X(FAILED, "failed ")
#define AVITOI_CALL_TRACE_NUMBER_(name, word) AVITOI_CALL_TRACE_##name,
enum { AVITOI_CALL_TRACES(AVITOI_CALL_TRACE_NUMBER_) AVITOI_CALL_TRACE_WORDS };

static void avitoi_call_trace(const avito_client *c, unsigned what)
{
    const avito_account_options *o = &c->account->o;
    if (o->trace != NULL) { /* then the diagnostics are linked: init checks it */
        o->priv.diagnostics->trace(c, what);
    }
}

static void avitoi_call_disconnect(avito_client *c)
{
    if (c->priv.connected) {
        c->priv.connected = false;
        c->priv.connecting = false;
        (c->o.transport.functions->close)(c->o.transport.ctx);
    }
}

/* After a failure the connection is kept only if the answer was read to its end and the service itself
 * refused: a server that breaks a protocol is not trusted with the next request. */
static void avitoi_call_drop(avito_client *c, int code)
{
    if (!c->priv.answered || code > AVITO_ERR_REDIRECT) {
        avitoi_call_disconnect(c);
    }
}

/* ======================================================================= *
 * >>37 ERRORS
 * ======================================================================= *
 *
 * What a failed call leaves in client.error: its code, whether it was sent, and its text. Comes in: a
 * status, a result of the transport, bytes of a refusal. Goes out: the error. May not let a secret or a
 * control byte out.
 */

/* ---- the error of a lane ---- */

AVITOI_ASSERT(errors_of_statuses, AVITO_ERR_BAD_REQUEST - AVITO_ERR_RATE == 7);

/* The error of a status that is not a success. */
static int avitoi_error_of_status(unsigned status)
{
    static const uint8_t known[] = {0, 1, 2, 3, 4, 9, 13, 29}; /* beyond 400, in the order of the errors */
    size_t i;
    for (i = 0; i < AVITOI_COUNT(known); i++) {
        if (400u + known[i] == status) {
            return AVITO_ERR_BAD_REQUEST - (int)i;
        }
    }
    return status >= 500         ? AVITO_ERR_SERVER
           : status / 100u == 3u ? AVITO_ERR_REDIRECT
                                 : AVITO_ERR_STATUS;
}

/* The error that a transport gave, and its detail. Only codes that a transport may give are taken. Any other
 * number, such as a raw errno, becomes the detail of `otherwise`. */
AVITOI_APART_IF_SMALL
static int avitoi_error_from_transport(const avito_transport *t, long result, int otherwise,
                                       int *detail)
{
    const bool known =
        (result <= AVITO_ERR_RESOLVE && result >= AVITO_ERR_TLS_STALL) ||
        (result <= AVITO_ERR_OPTION_CREDENTIALS && result >= AVITO_ERR_OPTION_RESOLVE) ||
        result == AVITO_ERR_TLS_ROOM || result == AVITO_ERR_BUSY;
    *detail = t->functions->detail != NULL ? (t->functions->detail)(t->ctx) : 0;
    if (!known && *detail == 0) {
        *detail = (int)result;
    }
    return known ? (int)result : otherwise;
}

static int avitoi_error_of_transport(avito_client *c, long result, int otherwise)
{
    const int code =
        avitoi_error_from_transport(&c->o.transport, result, otherwise, &c->error.detail);
    if (code == AVITO_ERR_TLS_ROOM && c->error.detail > 0) {
        c->error.needed = (size_t)c->error.detail;
    }
    return code;
}

/* Keeps the promise of >>7. A token request cannot be half done. A refusal whose status has a name precedes
 * storing, except the conflict. */
static avito_outcome avitoi_error_outcome(const avito_client *c, int code)
{
    int refusal;
    if (code == AVITO_OK) {
        return AVITO_SENT;
    }
    if (c->priv.settling) {
        return c->priv.verdict;
    }
    refusal = avitoi_error_of_status(c->priv.status);
    if (c->priv.request != c->priv.call || (c->priv.call->flags & AVITOI_ENDPOINT_CHANGES) == 0 ||
        !c->priv.written ||
        (refusal <= AVITO_ERR_BAD_REQUEST && refusal >= AVITO_ERR_RATE &&
         refusal != AVITO_ERR_CONFLICT)) {
        return AVITO_NOT_SENT;
    }
    /* ARENA: the answer was good, but the caller's memory was too small for it. */
    return (code == AVITO_ERR_ARENA && avitoi_call_succeeded(c)) ? AVITO_SENT : AVITO_CANNOT_TELL;
}

/* Adds to the error's text as much as it has room for, without control bytes: it may be printed. */
static void avitoi_error_add(avito_client *c, const char *text, size_t len)
{
    size_t at = strlen(c->error.text);
    for (; len > 0 && at < AVITO_ERROR_TEXT_CAP - 1u; len--, text++) {
        const bool control = avitoi_text_byte(*text) < ' ' || *text == 0x7f;
        c->error.text[at++] = control ? ' ' : *text;
    }
    c->error.text[at] = '\0';
}

AVITOI_APART_IF_SMALL static void avitoi_error_set_text(avito_client *c, const char *text, size_t len)
{
    c->error.text[0] = '\0';
    c->priv.quoted = false;
    avitoi_error_add(c, text, len);
    avitoi_text_utf8_mend(c->error.text);
}

/* The same with the key at fault. */
static void avitoi_error_set_key(avito_client *c, const char *key)
{
    avitoi_error_set_text(c, key, strlen(key));
}

/* The same with the server's words. */
static void avitoi_error_quote(avito_client *c, avito_str words)
{
    avitoi_error_set_text(c, words.ptr, words.len);
    c->priv.quoted = true;
}

/* ---- what a refusal said, without secrets ---- */

/* A refusal's body, as it is, for the caller who asked for it. Its beginning is the error's text, until a
 * better one is found. */
static void avitoi_error_keep_body(avito_client *c, const char *data, size_t len)
{
    avitoi_error_add(c, data, len);
    c->priv.quoted = true;
    if (c->o.error_body_cap > 0) { /* then the part is linked: init checks it */
        c->account->o.priv.diagnostics->keep_body(c, data, len);
    }
}

/* Masks secrets in the error. Without the part that can do so, the server's words are dropped. */
static void avitoi_error_hide_secrets(avito_client *c)
{
    const struct avitoi_call_diagnostics *diagnostics = c->account->o.priv.diagnostics;
    if (diagnostics != NULL) {
        diagnostics->mask(c);
    } else if (c->priv.quoted) {
        c->error.text[0] = '\0';
    }
}

/* ======================================================================= *
 * >>38 TOKENS
 * ======================================================================= *
 *
 * How an account gets its token, keeps it, renews it and loses it. One lane at a time has the duty to
 * fetch it (account.priv.renewer); the others wait. A new token is read into the half of the caller's
 * buffer that is not in use. Comes in: the moment, a refusal, the answer to a token request. Goes out:
 * what goes over the wire next, and a token. May not touch the connection.
 */

/* Bytes that the root of a token's answer takes at the high end. */
#define AVITOI_TOKEN_ROOT avitoi_arena_align(sizeof(struct avitoi_schema_token_answer))

/* Where a new token goes: the half of the token buffer that is not in use. A single lane without a refresh
 * token no longer needs the old one: the new one is read over it. */
static char *avitoi_token_room(avito_account *a, size_t *cap)
{
    char *tokens = (char *)a->o.tokens;
    *cap = a->o.tokens_cap / 2u;
    if (avitoi_account_one_copy(&a->o) && a->priv.refresh == NULL) {
        *cap = a->o.tokens_cap;
        a->priv.half = true;
        a->priv.lifetime_s = 0;
        a->priv.access = NULL;
        return tokens;
    }
    if (a->priv.half) {
        return tokens;
    }
    tokens += *cap;
    if (a->priv.refresh != NULL && a->priv.refresh + strlen(a->priv.refresh) >= tokens) {
        *cap = 0; /* the refresh token in use lies across both halves: see above */
    }
    return tokens;
}

/* ---- the token in use ---- */

#define AVITOI_TOKEN_LIFE_S     86400u   /* of a token without expires_in: a day (official guide) */
#define AVITOI_TOKEN_LIFE_MAX_S 2000000u /* 23 days: clock_ms wraps after 49 */

/* The lifetime of a token that expires in `left` seconds. */
static uint32_t avitoi_token_lifetime(int64_t left)
{
    return left < 0 ? 0u : left > AVITOI_TOKEN_LIFE_MAX_S ? AVITOI_TOKEN_LIFE_MAX_S : (uint32_t)left;
}

/* Puts a token, whose strings are in the spare half, into use. */
static void avitoi_token_use(avito_account *a, const avito_token *token, uint32_t lifetime_s, bool loaded)
{
    a->priv.access = token->access_token.ptr;
    if (a->priv.renewal != NULL) {
        a->priv.refresh = token->refresh_token.ptr;
    }
    a->priv.half = !a->priv.half;
    a->priv.epoch++;
    a->priv.fetched_ms = avitoi_account_now(a);
    a->priv.lifetime_s = lifetime_s;
    a->priv.proven = loaded;
    a->priv.refresh_in_doubt = false;
}

/* May this be part of a header line? */
static bool avitoi_token_is_legal(avito_str s)
{
    return s.len == 0 ||
           (avitoi_text_is_word(s.ptr) && strlen(s.ptr) == s.len && s.len <= UINT16_MAX);
}

struct avitoi_token_store {
    int (*load)(avito_client *c);
    bool (*load_newer)(avito_account *a, uint32_t margin);
    int (*save)(avito_client *c, const avito_token *token); /* the hook */
    avitoi_call_result (*again)(avito_client *c);
};

/* Seconds until the token expires. */
static uint32_t avitoi_token_left(const avito_account *a)
{
    const uint32_t age = (avitoi_account_now(a) - a->priv.fetched_ms) / 1000u;
    return age >= a->priv.lifetime_s ? 0u : a->priv.lifetime_s - age;
}

/* What a refusal says of the token. REFUSED: it is not good (401, or "expired" in the text). ANY: it is not
 * good, or what was asked for is another account's (403). DOUBTS: nothing. */
enum { AVITOI_TOKEN_DOUBT_REFUSED, AVITOI_TOKEN_DOUBT_ANY, AVITOI_TOKEN_DOUBTS };

#define AVITOI_TOKEN_VAIN_MAX 8u /* 2^(8 - 2) minutes lie between renewals that do not help */
#define AVITOI_TOKEN_BURST    5u /* renewals that a refused token may have at once */

/* Has enough time passed since the last renewal for the same reason? Two of them are a minute apart, and
 * twice as long after each one that did not help: else what no token can cure would fetch one per call.
 * A token that is surely refused may have a few renewals at once. */
static bool avitoi_token_may_renew(const avito_account *a, unsigned doubt, uint32_t passed, uint32_t burst)
{
    const unsigned vain = a->priv.vain[doubt];
    if (vain == 0 || (doubt == AVITOI_TOKEN_DOUBT_REFUSED && burst < AVITOI_TOKEN_BURST)) {
        return true;
    }
    return passed >= 60000u << (vain > 1u ? vain - 2u : 0u);
}

AVITOI_APART_IF_SMALL
static void avitoi_token_note_renewal(avito_account *a, unsigned doubt, uint32_t now, uint32_t burst)
{
    const unsigned vain = a->priv.vain[doubt];
    a->priv.renewed_ms[doubt] = now;
    a->priv.vain[doubt] = (uint8_t)(vain == 0 ? 2u : vain < AVITOI_TOKEN_VAIN_MAX ? vain + 1u : vain);
    if (burst < UINT8_MAX) {
        burst++;
    }
    a->priv.burst[doubt] = (uint8_t)burst;
    a->priv.lifetime_s = 0;
}

/* After a refusal for a token of `epoch`: is a new one worth a request? `again`: a token fetched for this
 * call was refused, too. In its first minute a token is not renewed unless a call was accepted with it. While
 * other calls are accepted, a 403 is not the token's fault. */
static bool avitoi_token_refused(avito_account *a, uint32_t epoch, unsigned doubt, bool again)
{
    const uint32_t now = avitoi_account_now(a);
    const uint32_t passed = now - a->priv.renewed_ms[doubt];
    const bool in_vain = a->priv.vain[doubt] > 1u;
    const uint32_t burst = avitoi_number_minus(a->priv.burst[doubt], in_vain ? 0u : passed / 60000u);
    const bool others_accepted = a->priv.accepted;
    a->priv.accepted = false;
    if (a->priv.epoch != epoch || a->priv.lifetime_s == 0) {
        return true; /* there is a newer one already, or will be */
    }
    if (again || (!a->priv.proven && now - a->priv.fetched_ms < 60000u) ||
        !avitoi_token_may_renew(a, doubt, passed, burst) ||
        (in_vain && doubt == AVITOI_TOKEN_DOUBT_ANY && others_accepted)) {
        return false;
    }
    avitoi_token_note_renewal(a, doubt, now, burst);
    return true;
}

/* A call was accepted with the token of `epoch`; `helped`: it had been refused with the token before. */
static void avitoi_token_accepted(avito_account *a, uint32_t epoch, bool helped)
{
    size_t i;
    a->priv.accepted = true;
    if (a->priv.epoch == epoch) {
        a->priv.proven = true;
    }
    for (i = 0; helped && i < AVITOI_COUNT(a->priv.vain); i++) {
        a->priv.vain[i] = a->priv.vain[i] > 0 ? 1u : 0u;
    }
}

/* ---- one lane fetches it for all ---- */

/* Does this request spend the refresh token? */
static bool avitoi_token_is_refreshed(const avito_client *c)
{
    return (c->priv.request->flags & AVITOI_ENDPOINT_REFRESH) != 0;
}

/* Gives up the duty to fetch a token: the next lane that wants one takes it. */
static void avitoi_token_resign(avito_client *c)
{
    avito_account *a = c->account;
    avitoi_account_lock(a);
    /* A refresh left, and neither a pair nor a refusal came. */
    if (avitoi_token_is_refreshed(c) && c->priv.written && c->priv.status / 100u != 4u) {
        a->priv.refresh_in_doubt = true;
    }
    if (a->o.priv.lanes != NULL && a->priv.renewer == c) {
        a->priv.renewer = NULL;
    }
    avitoi_account_unlock(a);
}

/* The error of the last refusal. */
static int avitoi_token_refusal(const avito_account *a)
{
    return a->priv.refresh_refused ? AVITO_ERR_REFRESH_TOKEN : AVITO_ERR_CREDENTIALS;
}

/* Takes the duty if it is free. */
static int avitoi_token_take_duty(avito_client *c)
{
    avito_account *a = c->account;
    const int rc = a->o.priv.lanes != NULL ? a->o.priv.lanes->duty(c) : AVITO_OK;
    if (rc == AVITO_OK) {
        a->priv.renewer = c;
    }
    return rc;
}

/* Chooses the token request: by the refresh token if there is one; an account by consent has no other way. A
 * call that spends a code or a refresh token is that request itself. */
static int avitoi_token_choose_grant(avito_client *c)
{
    const avito_account *a = c->account;
    const struct avitoi_endpoint *request = c->priv.call;
    if ((request->flags & AVITOI_ENDPOINT_SPENDS) == 0) {
        request = a->priv.refresh != NULL || a->priv.by_consent ? a->priv.renewal
                                                                : &avitoi_endpoint_get_token;
    }
    if ((request->flags & AVITOI_ENDPOINT_REFRESH) != 0 && a->priv.refresh == NULL) {
        return AVITO_ERR_REFRESH_TOKEN;
    }
    c->priv.request = request;
    return AVITO_OK;
}

/* Seconds before its end at which a token is renewed. */
static uint32_t avitoi_token_margin(const avito_account *a)
{
    const uint32_t half = a->priv.lifetime_s / 2u;
    return half < a->o.renew_before_s ? half : a->o.renew_before_s;
}

/* Is the token at hand good for this call? One that was fetched for it is, however short its life. One that
 * should be renewed is, too, while another lane does that. */
static bool avitoi_token_suffices(const avito_client *c, bool busy)
{
    const uint32_t left = avitoi_token_left(c->account);
    return c->priv.fetched || (left > 0 && (left > avitoi_token_margin(c->account) || busy));
}

/* Asks the application for its token: for the first one, and for a newer one before ours is renewed, since
 * another program may have done that. */
static int avitoi_token_ask_store(avito_client *c, bool asks_token)
{
    avito_account *a = c->account;
    const uint32_t margin = avitoi_token_margin(a);
    int rc = AVITO_OK;
    if (a->priv.epoch == 0 && (c->priv.call->flags & AVITOI_ENDPOINT_CODE) == 0) {
        rc = a->o.priv.store->load(c);
    }
    if (rc >= 0 && a->priv.epoch != 0 && !asks_token && !a->priv.unsaved && !c->priv.fetched &&
        avitoi_token_left(a) <= margin) {
        (void)a->o.priv.store->load_newer(a, margin);
    }
    return rc;
}

typedef int avitoi_token_choice; /* AVITO_OK, AVITO_AGAIN, an error, or this */
#define AVITOI_TOKEN_UNSAVED 35

/* Chooses what goes over the wire: the call itself, or first the token that it needs. AVITOI_TOKEN_UNSAVED:
 * first the token in use has to be saved. */
AVITOI_APART static avitoi_token_choice avitoi_token_choose_request(avito_client *c)
{
    avito_account *a = c->account;
    const bool asks_token = (c->priv.call->flags & AVITOI_ENDPOINT_TOKEN) != 0;
    const bool busy = a->priv.renewer != NULL && a->priv.renewer != c;
    int rc = !busy && a->o.priv.store != NULL ? avitoi_token_ask_store(c, asks_token) : AVITO_OK;
    if (rc < 0) {
        return rc;
    }
    if (!asks_token && !a->priv.unsaved && avitoi_token_suffices(c, busy)) {
        c->priv.fetched = false;
        c->priv.request = c->priv.call;
        c->priv.access = a->priv.access;
        c->priv.access_len = (uint16_t)strlen(a->priv.access);
        c->priv.epoch = a->priv.epoch;
        return AVITO_OK;
    }
    rc = avitoi_token_take_duty(c);
    if (rc != AVITO_OK) {
        return rc;
    }
    return a->priv.unsaved ? AVITOI_TOKEN_UNSAVED : avitoi_token_choose_grant(c);
}

/* ---- after its answer ---- */

#define AVITOI_TOKEN_SCOPE_MAX 48u /* bytes of a token's scope, for which AVITO_TOKENS_SIZE() has room */

/* Hands the token in use to the application, which may have failed to store it before. No lane uses the token
 * until the application has stored it. This lane has the duty. */
static avitoi_call_result avitoi_token_save(avito_client *c, avito_token *token)
{
    avito_account *a = c->account;
    const int64_t now = a->o.unix_time != NULL ? a->o.unix_time(a->o.ctx) : 0;
    int rc = AVITO_OK;
    token->access_token = avitoi_text_or_none(a->priv.access);
    token->refresh_token = avitoi_text_or_none(a->priv.refresh);
    token->expires_at =
        now > 0 && now <= INT64_MAX - AVITOI_TOKEN_LIFE_MAX_S ? now + (int64_t)avitoi_token_left(a) : 0;
    if (a->o.priv.store != NULL) {
        rc = a->o.priv.store->save(c, token);
    }
    avitoi_account_lock(a);
    a->priv.unsaved = rc != AVITO_OK;
    avitoi_account_unlock(a);
    avitoi_token_resign(c);
    return rc == AVITO_OK ? AVITOI_CALL_MOVED : (int)AVITO_ERR_HOOK;
}

static int avitoi_token_denied(avito_client *c)
{
    const unsigned status = c->priv.status;
    avito_account *a = c->account;
    if (!avitoi_call_succeeded(c) && (status / 100u != 4u || status == 429)) {
        return avitoi_error_of_status(status); /* says nothing about the credentials */
    }
    avitoi_account_lock(a);
    a->priv.refusals++;
    a->priv.refresh_refused = avitoi_token_is_refreshed(c);
    avitoi_account_unlock(a);
    return avitoi_token_refusal(a);
}

/* Puts a string of a token at *at. */
static bool avitoi_token_copy(avito_str *s, char **at, size_t *room)
{
    if (s->ptr == NULL || s->len >= *room) {
        return s->ptr == NULL;
    }
    memcpy(*at, s->ptr, s->len);
    s->ptr = *at;
    (*at)[s->len] = '\0';
    *at += s->len + 1u;
    *room -= s->len + 1u;
    return true;
}

static int avitoi_token_no_room(avito_client *c, size_t access, size_t refresh)
{
    c->error.needed = access > refresh ? access : refresh;
    return AVITO_ERR_TOKEN_ROOM;
}

/* The answer to a refresh brought no refresh token: the old one stays in use. */
static avitoi_call_result avitoi_token_reuse_refresh(avito_client *c)
{
    struct avitoi_schema_token_answer *answer = (struct avitoi_schema_token_answer *)c->priv.json.out;
    const struct avitoi_arena_ends *mem = &c->priv.json.mem;
    avito_str *refresh = &answer->token.refresh_token;
    char *at = mem->low_base + mem->low;
    size_t room = mem->low_cap - AVITOI_TOKEN_ROOT - mem->low;
    if (refresh->ptr == NULL) {
        *refresh = avitoi_text_of(c->account->priv.refresh);
        if (!avitoi_token_copy(refresh, &at, &room)) {
            return avitoi_token_no_room(c, answer->token.access_token.len, refresh->len);
        }
    }
    return AVITO_OK;
}

/* A token has come. */
AVITOI_APART static avitoi_call_result avitoi_token_received(avito_client *c)
{
    avito_account *a = c->account;
    struct avitoi_schema_token_answer *answer = (struct avitoi_schema_token_answer *)c->priv.json.out;
    avito_token *token = &answer->token;
    int rc = AVITO_OK;
    if (token->access_token.len == 0) {
        avitoi_error_quote(c, answer->error);
        return avitoi_token_denied(c);
    }
    if (!avitoi_token_is_legal(token->access_token)) {
        avitoi_error_set_key(c, avitoi_schema_token.keys);
        return AVITO_ERR_MODEL;
    }
    if (c->priv.request->end != NULL) {
        rc = c->priv.request->end(c);
    }
    if (rc != AVITO_OK) {
        return rc;
    }
    if (c->priv.json.was_cut) { /* its length is not known, and no call needs it */
        memset(&token->scope, 0, sizeof token->scope);
    }
    avitoi_account_lock(a);
    avitoi_token_use(a, token,
                     token->expires_in > 0 ? avitoi_token_lifetime(token->expires_in) : AVITOI_TOKEN_LIFE_S,
                     false);
    a->priv.unsaved = true;
    c->priv.written = false; /* nothing of the request is in doubt */
    avitoi_account_unlock(a);
    rc = avitoi_token_save(c, token);
    if (rc != AVITOI_CALL_MOVED) {
        return rc;
    }
    avitoi_call_trace(c, AVITOI_CALL_TRACE_TOKEN);
    if ((c->priv.call->flags & AVITOI_ENDPOINT_TOKEN) == 0 && !c->priv.abandoned) {
        c->priv.fetched = true; /* to be used once, however short its life is */
        return avitoi_call_repeat(c, 0);
    }
    if (c->priv.out != NULL) {
        memcpy(c->priv.out, token, sizeof *token);
    }
    return AVITO_OK;
}

/* ======================================================================= *
 * >>39 ANSWERS
 * ======================================================================= *
 *
 * What an answer means. Comes in: a complete head, then spans of body bytes, then the body's end. Goes
 * out: elements, a model, the next page of a list, or an error. May not read from the transport.
 */

/* The tail of the window: during a request, room for an early answer; during an answer, room to decode
 * small replies and tokens. */
#define AVITOI_ANSWER_EARLY   64u
#define AVITOI_ANSWER_SCRATCH 448u
AVITOI_ASSERT(window_holds_scratch, AVITO_WINDOW_MIN >= AVITOI_ANSWER_SCRATCH + AVITOI_ANSWER_EARLY);
AVITOI_ASSERT(scratch_holds_token, AVITOI_ANSWER_SCRATCH >= 2u * sizeof(struct avitoi_schema_token_answer) +
                                                                4u * AVITOI_ARENA_ALIGN);

/* Notes the most that was in use. What did not fit was never in use. */
static void avitoi_answer_note_peak(avito_client *c)
{
    const struct avitoi_arena_ends *mem = &c->priv.json.mem;
    avito_arena *arena = c->priv.arena;
    if (mem->peak <= mem->low_cap && arena->used + mem->peak > arena->peak) {
        arena->peak = arena->used + mem->peak;
    }
}

/* A reply is decoded into the error's text and code, in memory that is free now. */
static void avitoi_answer_use_reply(struct avitoi_json *j, char *base, size_t cap)
{
    avitoi_json_begin(j, &avitoi_schema_reply.schema, NULL);
    avitoi_arena_share(&j->mem, base, cap);
    j->cut_at = AVITO_ERROR_TEXT_CAP - 1u;
}

/* The arena is too small: what would have done? */
AVITOI_APART_IF_SMALL static void avitoi_answer_note_needed(avito_client *c)
{
    c->error.needed = avitoi_arena_needed(c->priv.arena->used + c->priv.json.mem.peak);
}

/* Small answers are decoded in the tail of the window; a token's strings go to their final place. */
static void avitoi_answer_use_scratch(avito_client *c, bool token)
{
    struct avitoi_json *j = &c->priv.json;
    char *tail = (char *)c->o.window + c->o.window_cap - AVITOI_ANSWER_SCRATCH;
    const size_t skew = (0u - (size_t)(uintptr_t)tail) & (AVITOI_ARENA_ALIGN - 1u);
    if (c->priv.collect) {
        c->priv.rows_before = 0; /* the reader's state of the pages before is gone: begin again */
    }
    tail += skew;
    avitoi_answer_use_reply(j, tail, AVITOI_ANSWER_SCRATCH - skew);
    if (token) {
        j->top->schema = &avitoi_schema_token.schema;
        j->lenient = false;
        j->out = tail; /* the root, at the high end, is moved there when it is complete */
        j->cut_at = AVITOI_TOKEN_SCOPE_MAX;
        j->mem.low_base = avitoi_token_room(c->account, &j->mem.low_cap);
        j->mem.low_cap += AVITOI_TOKEN_ROOT; /* the root is elsewhere */
    }
}

/* A model goes into the caller's arena. */
static void avitoi_answer_use_arena(avito_client *c)
{
    struct avitoi_json *j = &c->priv.json;
    avitoi_json_begin(j, c->priv.call->answer, c->priv.collect ? NULL : c->priv.out);
    avitoi_arena_share(&j->mem, c->priv.arena->base + c->priv.arena->used,
                       c->priv.arena->cap - c->priv.arena->used);
    j->want = (uint16_t)(c->priv.want | AVITOI_SCHEMA_ALWAYS);
    j->cut_at = c->priv.cut_at;
    j->from_service = avitoi_schema_is_of_service(avitoi_text_or_none(c->priv.args.chat_id));
    avitoi_account_lock(c->account);
    j->sentence_by = c->account->priv.sentence_by;
    avitoi_account_unlock(c->account);
}

/* The head is complete: prepares to decode the body. A model goes into the caller's arena. Everything else is
 * small, and goes into the tail of the window: refusals, confirmations, tokens. A list call ends here: its
 * elements come by avito_next_*(). */
static avitoi_call_result avitoi_answer_begin(avito_client *c)
{
    const bool token = (c->priv.request->flags & AVITOI_ENDPOINT_TOKEN) != 0;
    const struct avitoi_head *h = &c->priv.json.as.before.head;
    const int rc = avitoi_head_framing(h, &c->priv.body);
    if (rc != AVITO_OK) {
        return rc;
    }
    c->priv.status = h->status;
    c->priv.date = h->date;
    c->priv.keep_alive = h->persistent && !h->close && !(h->http10 && h->chunked); /* RFC 9112, 6.1 */
    avitoi_call_trace(c, AVITOI_CALL_TRACE_ANSWER);
    c->priv.span = 0;
    avitoi_call_forget_error(c);
    c->error.retry_after_s = h->retry_after_s;
    if (c->o.priv.retries != NULL) {
        c->o.priv.retries->heed(c);
    }
    c->priv.model = avitoi_call_succeeded(c) && !token && c->priv.call->answer != NULL;
    if (c->priv.model) {
        c->priv.call->special->model(c);
    } else {
        avitoi_answer_use_scratch(c, token && avitoi_call_succeeded(c));
    }
    (void)avitoi_call_move(c, AVITOI_CALL_EV_ANSWER);
    if (c->priv.model && c->priv.out == NULL) {
        (void)avitoi_call_move(c, AVITOI_CALL_EV_ELEMENT); /* avito_list_*() ends here */
        return AVITO_OK;
    }
    return AVITOI_CALL_MOVED;
}

/* Notes what texts show of the tariff, also in a list that is not read to its end. */
AVITOI_APART_IF_SMALL static void avitoi_answer_heed_tariff(const avito_client *c)
{
    avito_account *a = c->account;
    const struct avitoi_json *j = &c->priv.json;
    avitoi_account_lock(a);
    a->priv.sentence_by = j->sentence_by;
    if (j->tariff != AVITOI_SCHEMA_TARIFF_UNKNOWN) {
        a->priv.unpaid = j->tariff == AVITOI_SCHEMA_TARIFF_MISSING;
    }
    avitoi_account_unlock(a);
}

#define AVITOI_ANSWER_LOST UINT32_MAX /* as raw_len: the body's beginning is not kept */

/* Whether the list of a list call, or the first member of any other model, has come. */
static bool avitoi_answer_came(const struct avitoi_json *j)
{
    return j->list_depth != 0 || (j->as.frames[0].seen & 1u) != 0;
}

/* The call was accepted, and so was its token. */
static void avitoi_answer_accepted(avito_client *c)
{
    avito_account *a = c->account;
    avitoi_account_lock(a);
    avitoi_token_accepted(a, c->priv.epoch, c->priv.retried);
    avitoi_account_unlock(a);
}

/* Until a model has what it must have, it may be a refusal: the body so far stays at the window's
 * beginning, as long as there is room to receive more. */
static void avitoi_answer_keep_beginning(avito_client *c, const char *data, size_t len)
{
    const size_t room = c->o.window_cap - AVITOI_ANSWER_EARLY;
    bool came;
    if (c->priv.raw_len == AVITOI_ANSWER_LOST) {
        return;
    }
    came = avitoi_answer_came(&c->priv.json);
    if (came) {
        avitoi_answer_accepted(c);
    }
    if (came || len > room - c->priv.raw_len) {
        c->priv.raw_len = AVITOI_ANSWER_LOST;
        return;
    }
    memmove((char *)c->o.window + c->priv.raw_len, data, len);
    c->priv.raw_len += (uint32_t)len;
}

/* Bytes at the window's beginning that the next ones must not cover. */
static size_t avitoi_answer_reserved(const avito_client *c)
{
    return c->priv.model && c->priv.raw_len != AVITOI_ANSWER_LOST ? c->priv.raw_len : 0u;
}

/* Gives body bytes to the JSON machine. AVITO_AGAIN: all of the span is used. */
AVITOI_APART_IF_SMALL static avitoi_call_result avitoi_answer_feed(avito_client *c)
{
    struct avitoi_json *j = &c->priv.json;
    const char *data = (const char *)c->o.window + c->priv.pos;
    size_t used = c->priv.span;
    int rc = AVITO_ERR_MODEL;
    if (!avitoi_call_succeeded(c)) {
        avitoi_error_keep_body(c, data, used);
    }
    if (j->state != AVITOI_JSON_AT_BROKEN) {
        rc = j->raw != NULL ? j->raw->feed(j, data, used, &used) : avitoi_json_feed(j, data, used, &used);
    }
    if (c->priv.model) {
        used = (j->state == AVITOI_JSON_AT_BROKEN) ? c->priv.span : used;
        c->priv.call->special->received(c, data, used);
    }
    c->priv.pos += used;
    c->priv.span -= used;
    if (j->state != AVITOI_JSON_AT_BROKEN) {
        return rc == AVITO_AGAIN ? rc : c->priv.call->special->element(c, rc);
    }
    if (rc == AVITO_ERR_MODEL && c->priv.model && c->priv.raw_len != AVITOI_ANSWER_LOST) {
        c->error.code = rc; /* unless it turns out to be a refusal */
        return AVITO_AGAIN;
    }
    if (!avitoi_call_succeeded(c)) { /* a refusal that is not JSON is a refusal all the same */
        c->priv.pos += c->priv.span;
        c->priv.span = 0;
        return AVITO_AGAIN;
    }
    if (j->culprit != NULL && (rc == AVITO_ERR_MODEL || rc == AVITO_ERR_DUPLICATE)) {
        avitoi_error_set_key(c, j->culprit);
    }
    return rc;
}

/* The answer is complete: can another request follow on this connection? Not if the answer came before the
 * request had left whole, or ended with the connection. */
static bool avitoi_answer_keeps_connection(const avito_client *c)
{
    return c->priv.keep_alive && c->priv.written && c->priv.pos == c->priv.len;
}

/* ---- the answer as a whole ---- */

/* The message of a reply, whichever member holds it. */
static avito_str avitoi_answer_reply_text(const struct avitoi_schema_reply *reply)
{
    if (reply->error != NULL && reply->error->message.ptr != NULL) {
        return reply->error->message;
    }
    if (reply->error_word.ptr != NULL && reply->message.ptr == NULL) {
        return reply->error_word;
    }
    if (reply->result != NULL && reply->result->error != NULL &&
        reply->result->error->message.ptr != NULL) {
        return reply->result->error->message;
    }
    if (reply->result != NULL && reply->result->message.ptr != NULL) {
        return reply->result->message;
    }
    return reply->message;
}

/* The code of a reply, whichever member holds it. */
static int64_t avitoi_answer_reply_code(const struct avitoi_schema_reply *reply)
{
    const struct avitoi_schema_reason *result = reply->result;
    if (reply->error != NULL && reply->error->code != 0) {
        return reply->error->code;
    }
    if (reply->code == 0 && result != NULL) {
        return result->error != NULL && result->error->code != 0 ? result->error->code
                                                                 : result->code;
    }
    return reply->code;
}

/* Serves as a reply that says nothing, and as a query of which nothing is set. */
static const union {
    struct avitoi_schema_reply reply;
    avito_chats_query chats;
    avito_messages_query messages;
} avitoi_answer_nothing = AVITOI_ZERO;

/* Puts text and code of a reply into the error. */
static const struct avitoi_schema_reply *avitoi_answer_read_reply(avito_client *c)
{
    struct avitoi_json *j = &c->priv.json;
    const struct avitoi_schema_reply *reply = &avitoi_answer_nothing.reply;
    avito_str text;
    int64_t code;
    if (j->state == AVITOI_JSON_AT_DONE && !j->measuring && j->out != NULL) {
        reply = (const struct avitoi_schema_reply *)j->out;
    }
    text = avitoi_answer_reply_text(reply);
    if (text.ptr != NULL) {
        avitoi_error_quote(c, text);
    }
    code = avitoi_answer_reply_code(reply);
    c->error.api_code = code == (int32_t)code ? (int)code : 0;
    return reply;
}

/* ---- judging answers ----
 *
 * Every answer, of any status and call, is judged here, once its body has come to its end:
 *
 *     1  a success status, and what the call must have (an id, the list, a confirmation): success
 *     2  any shape of refusal, also with a success status: the error of the status, or REFUSED
 *     3  a success status, and neither: MODEL
 *
 * The body names the error. Only the status says what it means for a write (avitoi_error_outcome()). */

/* Whether the token may be to blame, and how surely. AVITOI_TOKEN_DOUBTS: it is not. */
AVITOI_APART_IF_SMALL static unsigned avitoi_answer_doubt(const avito_client *c, int code)
{
    if (code == AVITO_ERR_UNAUTHORIZED || (avitoi_text_after(c->error.text, "token") != NULL &&
                                           avitoi_text_after(c->error.text, "expired") != NULL)) {
        return AVITOI_TOKEN_DOUBT_REFUSED;
    }
    return code == AVITO_ERR_FORBIDDEN && avitoi_text_after(c->error.text, "permission") == NULL
               ? AVITOI_TOKEN_DOUBT_ANY
               : AVITOI_TOKEN_DOUBTS;
}

/* The service refused with `code`. That is the result, or the call begins again with a new token. */
static avitoi_call_result avitoi_answer_refused(avito_client *c, int code)
{
    avito_account *a = c->account;
    const unsigned doubt = avitoi_answer_doubt(c, code);
    bool again;
    avitoi_account_lock(a);
    if (code == AVITO_ERR_PAYMENT) {
        a->priv.unpaid = true;
    }
    again = doubt != AVITOI_TOKEN_DOUBTS &&
            avitoi_token_refused(a, c->priv.epoch, doubt, c->priv.retried);
    avitoi_account_unlock(a);
    if (!again || c->priv.retried ||
        ((c->priv.call->flags & AVITOI_ENDPOINT_CHANGES) != 0 &&
         avitoi_error_outcome(c, code) != AVITO_NOT_SENT)) {
        return code;
    }
    c->priv.retried = true;
    return avitoi_call_repeat(c, 0);
}

/* Does a reply say no? `alone`: also if it holds nothing but a message. */
static bool avitoi_answer_says_no(const struct avitoi_schema_reply *reply, bool alone)
{
    const struct avitoi_schema_reason *result = reply->result;
    if (reply->has_ok && !reply->ok) {
        return true;
    }
    if (result != NULL && (result->error != NULL ||
                           (result->has_status ? !result->status : result->message.ptr != NULL))) {
        return true;
    }
    return reply->error != NULL || reply->error_word.len > 0 ||
           avitoi_answer_reply_code(reply) != 0 || (alone && reply->message.ptr != NULL);
}

/* An answer without a model. An empty one is fine, unless the call needs an id. With the id it is a
 * success, whatever else it says. */
static avitoi_call_result avitoi_answer_end_reply(avito_client *c, int rc)
{
    const bool wants_id = (c->priv.call->flags & AVITOI_ENDPOINT_ID) != 0;
    const struct avitoi_schema_reply *reply;
    if (rc == AVITO_ERR_EMPTY && !wants_id) {
        return AVITO_OK;
    }
    if (rc < 0 && rc != AVITO_ERR_ARENA) {
        return rc;
    }
    reply = avitoi_answer_read_reply(c);
    if (!(wants_id ? reply->id.ptr != NULL || (rc < 0 && avitoi_answer_came(&c->priv.json))
                   : reply->ok)) {
        if (avitoi_answer_says_no(reply, wants_id)) {
            return avitoi_answer_refused(c, AVITO_ERR_REFUSED);
        }
        if (wants_id) {
            avitoi_error_set_key(c, avitoi_schema_reply.keys);
            return AVITO_ERR_MODEL;
        }
    }
    avitoi_answer_accepted(c);
    return AVITO_OK;
}

/* The answer is not the model of the call: perhaps it is a refusal. Its arena is free now, except for the
 * memory of the rows that were given. */
static avitoi_call_result avitoi_answer_try_refusal(avito_client *c)
{
    struct avitoi_json *j = &c->priv.json;
    const avito_arena *arena = c->priv.arena;
    const size_t used = arena->used + (j->list != NULL ? j->list->history : 0u);
    const struct avitoi_schema_reply *reply;
    size_t read;
    avitoi_error_set_key(c, j->culprit != NULL ? j->culprit : avitoi_schema_keys(c->priv.call->answer));
    if (c->priv.raw_len == AVITOI_ANSWER_LOST) {
        return AVITO_ERR_MODEL;
    }
    if (c->priv.collect) {
        c->priv.rows_before = 0; /* its rows are gone: begin again */
    }
    avitoi_answer_use_reply(j, arena->base + used, arena->cap - used);
    (void)avitoi_json_feed(j, (const char *)c->o.window, c->priv.raw_len, &read);
    reply = avitoi_answer_read_reply(c);
    if (reply->ok && (c->priv.call->flags & AVITOI_ENDPOINT_OK) != 0) {
        j->list_depth = 1; /* the list counts as received */
        return c->priv.call->end(c);
    }
    return avitoi_answer_says_no(reply, true) ? avitoi_answer_refused(c, AVITO_ERR_REFUSED)
                                              : (int)AVITO_ERR_MODEL;
}

/* What must a model have? An id. */
static avitoi_call_result avitoi_answer_id(avito_client *c)
{
    return ((const avito_str *)c->priv.out)->ptr != NULL ? AVITO_OK : AVITO_ERR_MODEL;
}

static avitoi_call_result avitoi_answer_self(avito_client *c)
{
    return ((const avito_self *)c->priv.out)->id != 0 ? AVITO_OK : AVITO_ERR_MODEL;
}

/* Has the answer ended without a model? Either it broke the model on the way, and its beginning is still in
 * the window; or it is larger than the arena, and yet lacks what it must have. */
static bool avitoi_answer_is_no_model(const avito_client *c, int rc)
{
    return c->error.code == AVITO_ERR_MODEL ||
           (rc == AVITO_ERR_ARENA && !avitoi_answer_came(&c->priv.json) &&
            (c->priv.call->flags & AVITOI_ENDPOINT_MULTIPART) == 0);
}

/* The end of an answer that is a model: success, a refusal in disguise, or an error that names what is
 * missing. */
static avitoi_call_result avitoi_answer_end_model(avito_client *c, int rc)
{
    avitoi_answer_heed_tariff(c);
    if (avitoi_answer_is_no_model(c, rc)) {
        rc = AVITO_ERR_MODEL;
    } else if (rc == AVITO_OK) {
        rc = c->priv.call->end(c);
        if (rc != AVITO_ERR_MODEL) {
            avitoi_answer_accepted(c);
        }
    }
    if (rc == AVITO_ERR_MODEL) {
        rc = avitoi_answer_try_refusal(c);
    }
    if (rc == AVITO_ERR_ARENA) {
        avitoi_answer_note_needed(c);
    }
    return rc;
}

/* The body has come to its end. Each kind of answer is judged by its own function; before that, the
 * connection is kept or closed. */
AVITOI_APART_IF_SMALL static avitoi_call_result avitoi_answer_end(avito_client *c)
{
    struct avitoi_json *j = &c->priv.json;
    const bool token = (c->priv.request->flags & AVITOI_ENDPOINT_TOKEN) != 0;
    int rc;
    c->priv.answered = true;
    if (!avitoi_answer_keeps_connection(c)) {
        avitoi_call_disconnect(c);
    }
    if (!avitoi_call_succeeded(c)) {
        (void)avitoi_answer_read_reply(c);
        return token ? avitoi_token_denied(c)
                     : avitoi_answer_refused(c, avitoi_error_of_status(c->priv.status));
    }
    rc = avitoi_json_end(j);
    if (token) {
        if (rc == AVITO_ERR_ARENA) {
            /* The shortest token for which one copy has that room: a byte of it counts twice there. */
            const size_t empty = AVITO_TOKENS_SIZE_ONE_LANE(0);
            c->error.needed = j->mem.low > empty ? (j->mem.low - empty + 1u) / 2u : 1u;
            return AVITO_ERR_TOKEN_ROOM;
        }
        return rc < 0 ? rc : avitoi_token_received(c);
    }
    return c->priv.model ? c->priv.call->special->whole(c, rc) : avitoi_answer_end_reply(c, rc);
}

/* ======================================================================= *
 * >>40 EXCHANGE
 * ======================================================================= *
 *
 * One request and its answer over the transport: a handler for each state. Each does what it can at once.
 * Comes in: the lane, and whatever the transport takes and gives. Goes out: AVITOI_CALL_MOVED,
 * AVITO_AGAIN, or the call's result. May not wait, or judge an answer; no other chapter sends or receives.
 */

/* ---- ACCOUNT ---- */

/* A connection that was idle for too long is closed. Another one is looked at before a POST, and before a GET
 * if some time has passed. That costs one recv(), which a GET right after an answer saves. */
static void avitoi_exchange_check_age(avito_client *c)
{
    const uint32_t idle = c->priv.last_ms - c->priv.moved_ms; /* long if the clock went back: safe */
    c->priv.probe =
        c->priv.filled || idle >= 10u || (c->priv.request->flags & AVITOI_ENDPOINT_POST) != 0;
    if (idle >= c->o.keep_alive_ms) {
        avitoi_call_disconnect(c);
    }
}

/* ACCOUNT: may a request go, and which? In one hold of the lock, so that no other lane comes in between:
 * the gate, then the choice of the request, then the gate counts it. */
static avitoi_call_result avitoi_exchange_on_account(avito_client *c)
{
    const struct avitoi_endpoint_special *special;
    avito_account *a = c->account;
    const struct avitoi_call_retries *retries = c->o.priv.retries;
    int rc;
    if (c->priv.idle_left_ms > 0) {
        return AVITO_AGAIN;
    }
    avitoi_account_lock(a);
    rc = retries != NULL ? retries->gate(c) : AVITO_OK;
    if (rc == AVITO_OK) {
        rc = avitoi_token_choose_request(c);
    }
    if (rc == AVITO_OK && retries != NULL) {
        retries->pass(a);
    }
    avitoi_account_unlock(a);
    if (rc != AVITO_OK) {
        return rc == AVITOI_TOKEN_UNSAVED ? a->o.priv.store->again(c) : rc;
    }
    c->priv.waiting = false;
    c->priv.answered = false;
    c->priv.written = false;
    c->priv.idle_left_ms = c->o.connect_timeout_ms;
    avitoi_exchange_check_age(c);
    special = c->priv.request->special;
    rc = special != NULL && special->begin != NULL ? special->begin(c) : AVITO_OK;
    return rc == AVITO_OK ? avitoi_call_move(c, AVITOI_CALL_EV_TOKEN) : rc;
}

/* Something moved: the idle time begins again. After an eighth of it the wire is looked at. */
static void avitoi_exchange_alive(avito_client *c)
{
    c->priv.idle_left_ms = c->o.idle_timeout_ms;
    c->priv.look_ms = c->priv.idle_left_ms - c->priv.idle_left_ms / 8u;
}

/* ---- CONNECT ---- */

/* Looks at a kept connection before anything is written. It is of no use if the server has closed it, or if
 * something comes unasked. */
static void avitoi_exchange_probe(avito_client *c)
{
    long n;
    if (!c->priv.connected || !c->priv.probe) {
        return;
    }
    n = (c->o.transport.functions->recv)(c->o.transport.ctx, c->o.window, 1);
    if (n != AVITO_IO_AGAIN) {
        avitoi_call_disconnect(c);
    }
}

/* Calls the transport's connect(). An arena that was lent to TLS is free for the handshake, unless it
 * holds the pages before. */
AVITOI_APART_IF_SMALL static int avitoi_exchange_dial(avito_client *c)
{
    const avito_transport *t = &c->o.transport;
    const bool first = !c->priv.connecting;
    const bool lent = c->priv.arena != NULL && c->priv.arena->lent;
    avito_server server;
    int rc;
    server.host = c->account->o.host;
    server.port = c->account->o.port;
    if (first && lent && c->priv.rows_before > 0) {
        return AVITO_ERR_BUSY; /* the pages before would be lost */
    }
    if (first && lent) {
        c->priv.arena->busy = false; /* the handshake may have it */
    }
    c->priv.connected = true;
    c->priv.connecting = true;
    rc = (t->functions->connect)(t->ctx, &server);
    if (rc == AVITO_AGAIN && first && !avitoi_call_may_wait(c) &&
        (t->functions->wants)(t->ctx) == AVITO_WANT_TIMER) {
        rc = (t->functions->connect)(t->ctx, &server); /* what only wait() can do fails now, not later */
    }
    if (lent) {
        c->priv.arena->busy = true;
    }
    return rc;
}

/* CONNECT: a kept connection is looked at and used, or one is opened. Then the state of one request is
 * cleared. */
static avitoi_call_result avitoi_exchange_on_connect(avito_client *c)
{
    int rc = AVITO_OK;
    if (!c->priv.connecting) {
        avitoi_exchange_probe(c);
    }
    c->priv.probe = false;
    if (!c->priv.connected || c->priv.connecting) {
        rc = avitoi_exchange_dial(c);
    }
    if (rc == AVITO_AGAIN) {
        return AVITO_AGAIN;
    }
    c->priv.connecting = false;
    if (rc != AVITO_OK) {
        return avitoi_error_of_transport(c, rc, AVITO_ERR_CONNECT);
    }
    memset(&c->priv.json.as.before.head, 0, sizeof c->priv.json.as.before.head);
    if (c->o.priv.retries != NULL) {
        c->priv.json.as.before.head.more = c->o.priv.retries->read_head;
    }
    c->priv.status = 0;
    c->priv.sent = 0;
    c->priv.pos = 0;
    c->priv.len = 0;
    c->priv.send_error = AVITO_OK;
    avitoi_exchange_alive(c);
    avitoi_call_trace(c, AVITOI_CALL_TRACE_REQUEST);
    return avitoi_call_move(c, AVITOI_CALL_EV_CONNECTED);
}

/* ---- SEND ---- */

/* Feeds head bytes from the window, until a final head is complete. */
static avitoi_head_result avitoi_exchange_read_head(avito_client *c)
{
    struct avitoi_head *h = &c->priv.json.as.before.head;
    char *word = c->priv.json.word;
    int rc = AVITO_AGAIN;
    while (c->priv.pos < c->priv.len && rc == AVITO_AGAIN) {
        const char *p = (const char *)c->o.window + c->priv.pos;
#if AVITOI_FAST_HEAD
        const size_t left = c->priv.len - c->priv.pos;
        const size_t n = (h->state == AVITOI_HEAD_LINE)
                             ? avitoi_fast_head_line(h, word, p, left, &rc)
                         : (h->state == AVITOI_HEAD_VERSION) ? avitoi_fast_status_line(h, p, left)
                                                             : 0u;
        c->priv.pos += n;
        if (n > 0) {
            continue;
        }
#endif
        c->priv.pos++;
        rc = avitoi_head_byte(h, word, *p);
        if (rc == AVITOI_HEAD_COMPLETE && h->status < 200) { /* 100 Continue and its like */
            avitoi_head_begin(h);
            rc = AVITO_AGAIN;
        }
    }
    return rc;
}

/* A server may refuse a request before it has all of it. Its answer is read into the tail of the
 * window, then moved to the front. AVITO_AGAIN: nothing is there yet. An error: no answer will come, so the
 * rest of the request is of no use. */
static avitoi_call_result avitoi_exchange_early_answer(avito_client *c)
{
    char *tail = (char *)c->o.window + c->o.window_cap - AVITOI_ANSWER_EARLY;
    const size_t pos = c->priv.pos, len = c->priv.len;
    const long n = (c->o.transport.functions->recv)(c->o.transport.ctx, tail, AVITOI_ANSWER_EARLY);
    int rc;
    if (n == 0 || n == AVITO_IO_AGAIN) {
        return AVITO_AGAIN;
    }
    if (n < 0) {
        return c->priv.send_error != AVITO_OK ? (int)c->priv.send_error
               : n == AVITO_IO_CLOSED         ? (int)AVITO_ERR_CLOSED
                                              : avitoi_error_of_transport(c, n, AVITO_ERR_RECV);
    }
    c->priv.pos = c->o.window_cap - AVITOI_ANSWER_EARLY;
    c->priv.len = c->priv.pos + (size_t)n;
    rc = avitoi_exchange_read_head(c);
    if (rc == AVITOI_HEAD_COMPLETE) {
        c->priv.len -= c->priv.pos;
        memmove(c->o.window, (char *)c->o.window + c->priv.pos, c->priv.len);
        c->priv.pos = 0;
        return avitoi_answer_begin(c);
    }
    c->priv.pos = pos;
    c->priv.len = len;
    return rc == AVITO_AGAIN ? AVITOI_CALL_MOVED : rc;
}

/* Writes the next piece of the request into the window. */
AVITOI_APART static avitoi_call_result avitoi_exchange_refill(avito_client *c)
{
    struct avitoi_writer w;
    bool gone;
    avitoi_account_lock(c->account);
    gone = avitoi_call_token_gone(c);
    avitoi_account_unlock(c->account);
    if (gone) { /* begin again: nothing is complete yet */
        avitoi_call_disconnect(c);
        return avitoi_call_repeat(c, 0);
    }
    memset(&w, 0, sizeof w);
    w.out = (char *)c->o.window;
    w.cap = c->o.window_cap - AVITOI_ANSWER_EARLY;
    w.skip = c->priv.sent;
    avitoi_request_write(&w, c);
    c->priv.total = w.total;
    c->priv.pos = 0;
    c->priv.len = w.len;
    return (w.failed || w.len == 0) ? AVITO_ERR_SOURCE : AVITO_OK;
}

/* SEND: one piece at a time into the window and out. Between two pieces, and when the transport takes
 * nothing, an early answer is looked for. After an error of the transport only that is done: the server
 * may have said why before it closed. */
static avitoi_call_result avitoi_exchange_on_send(avito_client *c)
{
    const avito_transport *t = &c->o.transport;
    size_t left;
    long n;
    int rc;
    if (c->priv.send_error != AVITO_OK) {
        return avitoi_exchange_early_answer(c);
    }
    if (c->priv.written) {
        return avitoi_call_move(c, AVITOI_CALL_EV_WRITTEN);
    }
    if (c->priv.pos == c->priv.len) {
        rc = (c->priv.sent > 0) ? avitoi_exchange_early_answer(c) : AVITO_AGAIN;
        if (rc != AVITO_AGAIN) {
            return rc;
        }
        rc = avitoi_exchange_refill(c);
        if (rc != AVITO_OK) {
            return rc;
        }
    }
    left = c->priv.len - c->priv.pos;
    n = (t->functions->send)(t->ctx, (const char *)c->o.window + c->priv.pos, left,
                             c->priv.sent + left < c->priv.total);
    if (n > 0) {
        c->priv.pos += (size_t)n;
        c->priv.sent += (uint32_t)n;
        c->priv.written = c->priv.sent == c->priv.total;
        avitoi_exchange_alive(c);
        if (c->priv.request->special != NULL && c->priv.request->special->sent != NULL) {
            c->priv.request->special->sent(c);
        }
        return AVITOI_CALL_MOVED;
    }
    if (n < 0 && n != AVITO_IO_AGAIN) {
        c->priv.send_error = (int16_t)avitoi_error_of_transport(c, n, AVITO_ERR_SEND);
        return AVITOI_CALL_MOVED;
    }
    return avitoi_exchange_early_answer(c);
}

/* ---- HEAD ---- */

typedef int avitoi_exchange_io; /* AVITO_OK, AVITO_AGAIN, an error, or this */
#define AVITOI_EXCHANGE_ENDED 36 /* the stream ended in an orderly way */

/* Receives bytes into the window, after its first `reserved` bytes, which stay. */
static avitoi_exchange_io avitoi_exchange_receive(avito_client *c, size_t reserved, size_t cap)
{
    const avito_transport *t = &c->o.transport;
    const long n = (t->functions->recv)(t->ctx, (char *)c->o.window + reserved, cap);
    if (n == 0 || n == AVITO_IO_AGAIN) {
        return AVITO_AGAIN;
    }
    if (n == AVITO_IO_CLOSED) {
        return AVITOI_EXCHANGE_ENDED;
    }
    if (n < 0) {
        return avitoi_error_of_transport(c, n, AVITO_ERR_RECV);
    }
    c->priv.pos = reserved;
    c->priv.len = reserved + (size_t)n;
    c->priv.filled = (size_t)n == cap || (t->functions->wants(t->ctx) & AVITO_WANT_WRITE) != 0;
    c->priv.moved_ms = c->priv.last_ms;
    avitoi_exchange_alive(c);
    return AVITO_OK;
}

static avitoi_call_result avitoi_exchange_on_head(avito_client *c)
{
    int rc = avitoi_exchange_read_head(c);
    if (rc == AVITO_AGAIN) {
        rc = avitoi_exchange_receive(c, 0, c->o.window_cap - AVITOI_ANSWER_SCRATCH);
        return rc == AVITO_OK                ? AVITOI_CALL_MOVED
               : rc == AVITOI_EXCHANGE_ENDED ? (int)AVITO_ERR_CLOSED
                                             : rc;
    }
    return rc == AVITOI_HEAD_COMPLETE ? avitoi_answer_begin(c) : rc;
}

/* ---- BODY, DRAIN ---- */

/* Finds the next span of body bytes: AVITOI_CALL_MOVED. AVITOI_BODY_COMPLETE: there is none. */
static avitoi_call_result avitoi_exchange_next_span(avito_client *c)
{
    size_t start = 0, used = 0;
    int rc;
    if (c->priv.pos == c->priv.len && c->priv.body.state != AVITOI_BODY_DONE) {
        const size_t reserved = avitoi_answer_reserved(c);
        rc = avitoi_exchange_receive(
            c, reserved, c->o.window_cap - (c->priv.model ? reserved : AVITOI_ANSWER_SCRATCH));
        if (rc == AVITOI_EXCHANGE_ENDED) { /* this also ends a body without a length */
            c->priv.keep_alive = false;
            return avitoi_body_at_close(&c->priv.body);
        }
        if (rc != AVITO_OK) {
            return rc;
        }
    }
    rc = avitoi_body_feed(&c->priv.body, (const char *)c->o.window + c->priv.pos,
                          c->priv.len - c->priv.pos, &start, &c->priv.span, &used);
    c->priv.pos += start;
    if (rc < 0 || (rc == AVITOI_BODY_COMPLETE && c->priv.span == 0)) {
        return rc;
    }
    return AVITOI_CALL_MOVED;
}

static avitoi_call_result avitoi_exchange_on_body(avito_client *c)
{
    int rc;
    if (c->priv.span > 0) {
        rc = avitoi_answer_feed(c);
        return rc == AVITO_AGAIN ? AVITOI_CALL_MOVED : rc;
    }
    rc = avitoi_exchange_next_span(c);
    return rc == AVITOI_BODY_COMPLETE ? avitoi_answer_end(c) : rc;
}

/* ======================================================================= *
 * >>41 CALL MACHINE
 * ======================================================================= *
 *
 * avito_step() runs the handler of the present state until one of them has to wait or the call ends.
 * Comes in: what a handler returned, and the clock. Goes out: the result of the call, or what it waits
 * for and until when. May not look into an answer. No other chapter of the core ends a call or waits.
 */

/* Runs the handler of the present state. */
AVITOI_APART_IF_SMALL static avitoi_call_result avitoi_machine_handle(avito_client *c)
{
    switch ((int)c->priv.state) {
        case AVITOI_CALL_ACCOUNT:
            return avitoi_exchange_on_account(c);
        case AVITOI_CALL_CONNECT:
            return avitoi_exchange_on_connect(c);
        case AVITOI_CALL_SEND:
            return avitoi_exchange_on_send(c);
        case AVITOI_CALL_HEAD:
            return avitoi_exchange_on_head(c);
        case AVITOI_CALL_BODY:
            return avitoi_exchange_on_body(c);
        default: /* AVITOI_CALL_DRAIN */
            return c->priv.call->special->drain(c);
    }
}

static void avitoi_machine_tick(avito_client *c)
{
    const uint32_t now = avitoi_account_now(c->account);
    const uint32_t passed = avitoi_number_elapsed(now, c->priv.last_ms);
    c->priv.last_ms = now;
    c->priv.idle_left_ms = avitoi_number_minus(c->priv.idle_left_ms, passed);
    c->priv.total_left_ms = avitoi_number_minus(c->priv.total_left_ms, passed);
}

static bool avitoi_machine_looks_at_wire(const avito_client *c)
{
    return c->o.transport.functions->moved != NULL && c->priv.state > AVITOI_CALL_CONNECT;
}

/* Nothing came to us, but bytes may move below: parts of a record, or what a socket still holds. */
static void avitoi_machine_look_at_wire(avito_client *c)
{
    uint32_t moved;
    if (!avitoi_machine_looks_at_wire(c) || c->priv.idle_left_ms > c->priv.look_ms) {
        return;
    }
    moved = (c->o.transport.functions->moved)(c->o.transport.ctx);
    if (moved != c->priv.wire) {
        c->priv.wire = moved;
        avitoi_exchange_alive(c);
    } else {
        c->priv.look_ms = avitoi_number_minus(c->priv.idle_left_ms, c->o.idle_timeout_ms / 8u);
    }
}

/* Nothing moved: is there time left to wait? */
static int avitoi_machine_check_timeouts(avito_client *c)
{
    if (c->priv.total_left_ms == 0) {
        return AVITO_ERR_TIMEOUT_TOTAL;
    }
    avitoi_machine_look_at_wire(c);
    if (c->priv.idle_left_ms > 0 || c->priv.state == AVITOI_CALL_ACCOUNT) {
        return AVITO_AGAIN;
    }
    if (c->priv.state == AVITOI_CALL_SEND && c->priv.send_error != AVITO_OK) {
        return c->priv.send_error; /* the server said nothing more */
    }
    return c->priv.state == AVITOI_CALL_CONNECT ? AVITO_ERR_TIMEOUT_CONNECT
                                                : AVITO_ERR_TIMEOUT_IDLE;
}

/* ---- the end of a call, or a retry ---- */

/* The one end of every call: fills the error, gives back the duty and the arena, and makes the lane idle.
 * Returns `code`. */
static int avitoi_machine_finish(avito_client *c, int code)
{
    avito_arena *arena = c->priv.arena;
    c->error.code = code < 0 ? code : AVITO_OK;
    c->error.http_status = (code < 0 && c->priv.settling) ? c->priv.cause_status : c->priv.status;
    c->error.outcome = avitoi_error_outcome(c, c->error.code);
    if (code < 0) {
        avitoi_call_drop(c, code);
        avitoi_text_utf8_mend(c->error.text);
        avitoi_error_hide_secrets(c);
    } else {
        c->error.api_code = 0;
        c->error.detail = 0;
        c->error.needed = 0;
        c->error.text[0] = '\0';
    }
    avitoi_token_resign(c);
    avitoi_call_trace(c, AVITOI_CALL_TRACE_DONE + (code < 0 ? 1u : 0u));
    if (arena != NULL) {
        if (c->priv.json.mem.low_base == arena->base + arena->used) {
            avitoi_answer_note_peak(c);
            if (code == AVITO_OK && !c->priv.json.measuring) { /* else it was only counted */
                arena->used += avitoi_arena_align(c->priv.json.mem.low);
            }
        }
        arena->busy = false;
    }
    c->priv.call = NULL;
    c->priv.arena = NULL;
    (void)avitoi_call_move(c, AVITOI_CALL_EV_END);
    return code;
}

/* A handler or a wait returned `rc`: is it the result, or may the call go on in another way? */
AVITOI_APART static avitoi_call_result avitoi_machine_decide(avito_client *c, int rc)
{
    const struct avitoi_call_retries *retries = c->o.priv.retries;
    if (rc < 0 && c->priv.abandoned) { /* the rest was not wanted */
        avitoi_call_disconnect(c);
        rc = AVITO_OK;
    }
    if (c->priv.judge != NULL) {
        rc = c->priv.judge(c, rc);
    }
    if (retries != NULL && retries->again != NULL && c->priv.state != AVITOI_CALL_ROW &&
        retries->again(c, rc)) {
        return AVITOI_CALL_MOVED;
    }
    return (c->settle != NULL && rc != AVITOI_CALL_MOVED) ? c->settle(c, rc) : rc;
}

/* ---- one function of a lane at a time ----
 *
 * A hook may call anything, also the lane that called it: that is refused, and what ends the call is
 * noted until the hook has returned. */

AVITOI_APART_IF_SMALL static int avitoi_machine_cancel_lane(avito_client *c)
{
    c->priv.cancel_asked = false;
    c->priv.answered = false;
    avitoi_call_forget_error(c); /* of a row, or of half an answer */
    return avitoi_machine_finish(c, AVITO_ERR_CANCELLED);
}

/* Was the lane initialised, and without an error? */
static bool avitoi_machine_is_ready(const avito_client *c)
{
    return c != NULL && c->account != NULL;
}

/* Where lanes are not enabled, the account is free for the next one. */
static void avitoi_machine_close_lane(avito_client *c)
{
    avito_account *a = c->account;
    avitoi_call_disconnect(c);
    if (a->o.priv.lanes == NULL && a->priv.renewer == c) {
        a->priv.renewer = NULL;
    }
}

/* May a function of the lane begin? */
AVITOI_APART_IF_SMALL static int avitoi_machine_enter(const avito_client *c)
{
    if (!avitoi_machine_is_ready(c)) {
        return AVITO_ERR_ARGUMENT;
    }
    return c->priv.inside ? AVITO_ERR_BUSY : AVITO_OK;
}

static int avitoi_machine_leave(avito_client *c, int rc)
{
    if (c->priv.cancel_asked && c->priv.call != NULL) {
        rc = avitoi_machine_cancel_lane(c);
    }
    if (c->priv.close_asked) {
        avitoi_machine_close_lane(c);
    }
    c->priv.cancel_asked = false;
    c->priv.close_asked = false;
    c->priv.inside = false;
    return rc;
}

/* ---- the loop ---- */

/* How often one step may move on before other lanes get their turn and the clock is looked at again. So no
 * server can keep it busy for ever. */
#define AVITOI_MACHINE_ROUNDS 64u

/* Goes on from `rc`, AVITOI_CALL_MOVED or an error. The clock was looked at just now. */
static int avitoi_machine_advance(avito_client *c, int rc)
{
    unsigned rounds = 0;
    c->priv.eager = false;
    do {
        if (rc == AVITOI_CALL_MOVED) {
            rc = avitoi_machine_handle(c);
        }
        if (c->priv.cancel_asked) {
            return avitoi_machine_cancel_lane(c);
        }
        if (rc == AVITO_AGAIN) {
            rc = avitoi_machine_check_timeouts(c);
        }
        if (rc != AVITOI_CALL_MOVED && rc != AVITO_AGAIN) {
            rc = avitoi_machine_decide(c, rc);
        }
        if (rc == AVITOI_CALL_MOVED && ++rounds == AVITOI_MACHINE_ROUNDS) { /* it sends faster than we read */
            c->priv.eager = true;
            rc = (c->priv.total_left_ms == 0) ? avitoi_machine_decide(c, AVITO_ERR_TIMEOUT_TOTAL)
                                              : AVITO_AGAIN;
        }
    } while (rc == AVITOI_CALL_MOVED);
    if (rc == AVITO_AGAIN || c->priv.state == AVITOI_CALL_ROW) { /* the list stays open */
        return rc;
    }
    return avitoi_machine_finish(c, rc);
}

AVITO_API int avito_step(avito_client *client)
{
    const int rc = avitoi_machine_enter(client);
    if (rc != AVITO_OK) {
        return rc;
    }
    if (client->priv.call == NULL || client->priv.state == AVITOI_CALL_ROW ||
        client->priv.owner != NULL) {
        return AVITO_ERR_IDLE;
    }
    client->priv.inside = true;
    avitoi_machine_tick(client);
    return avitoi_machine_leave(client, avitoi_machine_advance(client, AVITOI_CALL_MOVED));
}

/* The only place that waits. The clock was looked at just now. */
static int avitoi_machine_run(avito_client *c)
{
    const avito_transport *t = &c->o.transport;
    int rc = avitoi_machine_advance(c, AVITOI_CALL_MOVED);
    while (rc == AVITO_AGAIN && avitoi_call_may_wait(c)) {
        const int wants = avito_wants(c) & (AVITO_WANT_READ | AVITO_WANT_WRITE);
        uint32_t ms = avito_deadline_ms(c);
        int waited;
        if (c->priv.waiting && ms > 20u) {
            ms = 20; /* another thread fetches the token: look again soon */
        }
        waited = (t->functions->wait)(t->ctx, wants, ms);
        avitoi_machine_tick(c);
        rc = c->priv.cancel_asked
                 ? avitoi_machine_cancel_lane(c)
                 : avitoi_machine_advance(
                       c, waited < 0 ? avitoi_error_of_transport(c, waited, AVITO_ERR_RECV)
                                     : AVITOI_CALL_MOVED);
    }
    return rc;
}

static bool avitoi_machine_waits_for_lane(const avito_client *c)
{
    const struct avitoi_call_lanes *lanes = c->account->o.priv.lanes;
    return lanes != NULL && lanes->waits(c);
}

AVITO_API int avito_wants(const avito_client *client)
{
    const avito_transport *t;
    if (!avitoi_machine_is_ready(client) || client->priv.call == NULL ||
        client->priv.state == AVITOI_CALL_ROW) {
        return 0;
    }
    t = &client->o.transport;
    if (client->priv.state == AVITOI_CALL_ACCOUNT) {
        return avitoi_machine_waits_for_lane(client) ? AVITO_WANT_ACCOUNT : AVITO_WANT_TIMER;
    }
    return (t->functions->wants)(t->ctx);
}

#define AVITOI_MACHINE_CONNECT_MS 100u /* after it, a connect that waits for no bytes is asked again */

/* In ACCOUNT, for a lane that waits for no other one: the pause or the gate, whichever is over last. */
static uint32_t avitoi_machine_pause_left(const avito_client *c, uint32_t passed)
{
    const uint32_t left = avitoi_number_minus(c->priv.total_left_ms, passed);
    const uint32_t gate = c->o.priv.retries != NULL ? c->o.priv.retries->gate_wait(c->account) : 0u;
    const uint32_t pause = avitoi_number_minus(c->priv.idle_left_ms, passed);
    const uint32_t wait = pause > gate ? pause : gate; /* 0: both are over, step now */
    return wait < left ? wait : left;
}

AVITO_API uint32_t avito_deadline_ms(const avito_client *client)
{
    const avito_client *c = client;
    uint32_t left, passed;
    if (!avitoi_machine_is_ready(c) || c->priv.call == NULL || c->priv.state == AVITOI_CALL_ROW) {
        return UINT32_MAX;
    }
    if (c->priv.eager) {
        return 0;
    }
    passed = avitoi_number_elapsed(avitoi_account_now(c->account), c->priv.last_ms);
    left = c->priv.total_left_ms;
    if (c->priv.state == AVITOI_CALL_ACCOUNT && !avitoi_machine_waits_for_lane(c)) {
        return avitoi_machine_pause_left(c, passed);
    }
    if (c->priv.state != AVITOI_CALL_ACCOUNT && c->priv.idle_left_ms < left) {
        left = c->priv.idle_left_ms;
    }
    if (avitoi_machine_looks_at_wire(c) &&
        avitoi_number_minus(c->priv.idle_left_ms, c->priv.look_ms) < left) {
        left = avitoi_number_minus(c->priv.idle_left_ms, c->priv.look_ms);
    }
    if (c->priv.connecting && (avito_wants(c) & AVITO_WANT_TIMER) != 0 &&
        left > AVITOI_MACHINE_CONNECT_MS) {
        left = AVITOI_MACHINE_CONNECT_MS;
    }
    return avitoi_number_minus(left, passed);
}

AVITO_API void avito_cancel(avito_client *client)
{
    if (!avitoi_machine_is_ready(client)) {
        return;
    }
    client->priv.cancel_asked = true;
    if (!client->priv.inside) {
        client->priv.inside = true;
        (void)avitoi_machine_leave(client, AVITO_OK);
    }
}

AVITO_API const avito_error *avito_last_error(const avito_client *client)
{
    static const avito_error none = {AVITO_ERR_ARGUMENT, 0, 0, 0, AVITO_NOT_SENT, 0, 0, {0}};
    return client != NULL ? &client->error : &none;
}

/* ======================================================================= *
 * >>42 CLIENT AND CALLS
 * ======================================================================= *
 *
 * A lane's options, and calls: each checks its arguments, notes them (prepare) and starts. Comes in:
 * whatever the application gives. Goes out: a result, or AVITO_AGAIN. May not touch the lane before the
 * arguments are known to be good.
 */

/* An account whose lanes are not enabled serves the first one, until that is closed. */
AVITOI_APART_IF_SMALL static int avitoi_client_join_account(avito_client *c, avito_account *a)
{
    if (a->o.priv.lanes == NULL) {
        if (a->priv.renewer != NULL && a->priv.renewer != c) {
            return AVITO_ERR_OPTION_LANES;
        }
        a->priv.renewer = c;
    }
    return AVITO_OK;
}

AVITO_API avito_client_options avito_client_options_default(void)
{
    avito_client_options options = AVITOI_ZERO;
    return options;
}

/* Names an option whose part is not linked. Without AVITO_TINY every part is. */
static int avitoi_client_check_parts(const avito_account *a, const avito_client_options *o)
{
    const struct avitoi_call_retries *part = o->priv.retries;
    if (!AVITO_TINY) {
        return AVITO_OK;
    }
    if ((a->o.requests_per_minute > 0 && part == NULL) ||
        (o->retries > 0 && (part == NULL || part->again == NULL))) { /* an inbox brings the rate alone */
        return AVITO_ERR_OPTION_RETRIES;
    }
    if (o->dry_run && o->priv.dry_run == NULL) {
        return AVITO_ERR_OPTION_DRY_RUN;
    }
    return o->error_body_cap > 0 && a->o.priv.diagnostics == NULL ? AVITO_ERR_OPTION_DIAGNOSTICS
                                                                  : AVITO_OK;
}

static int avitoi_client_check(const avito_account *a, const avito_client_options *o)
{
    const avito_transport_functions *f = o->transport.functions;
    if (f == NULL || f->connect == NULL || f->send == NULL || f->recv == NULL || f->wants == NULL ||
        f->close == NULL) {
        return AVITO_ERR_OPTION_TRANSPORT;
    }
    if (o->window == NULL || o->window_cap < AVITO_WINDOW_MIN) {
        return AVITO_ERR_OPTION_WINDOW;
    }
    return (o->error_body_cap > 0 && o->error_body == NULL) ? AVITO_ERR_ARGUMENT
                                                            : avitoi_client_check_parts(a, o);
}

AVITO_API int avito_client_init(avito_client *client, avito_account *account,
                                const avito_client_options *options)
{
    int rc = AVITO_ERR_ARGUMENT;
    if (client == NULL) {
        return rc;
    }
    memset(client, 0, sizeof *client);
    if (account != NULL && options != NULL && account->o.clock_ms != NULL) {
        rc = avitoi_client_check(account, options);
    }
    if (rc == AVITO_OK) {
        rc = avitoi_client_join_account(client, account);
    }
    client->error.code = rc;
    if (rc != AVITO_OK) { /* it is not initialised: each function says so */
        return rc;
    }
    client->account = account;
    client->o = *options;
    client->o.connect_timeout_ms = avitoi_number_or(options->connect_timeout_ms, 15000);
    client->o.idle_timeout_ms = avitoi_number_or(options->idle_timeout_ms, 30000);
    client->o.total_timeout_ms = avitoi_number_or(options->total_timeout_ms, 120000);
    client->o.keep_alive_ms = avitoi_number_or(options->keep_alive_ms, 50000);
#if !AVITO_TINY
    avito_enable_retries(&client->o);
    avito_enable_dry_run(&client->o);
    avito_enable_raw(&client->o);
    avito_enable_sent(&client->o);
    avito_enable_pages(&client->o);
    if (client->o.priv.headers == NULL) {
        (void)avito_set_headers(&client->o, NULL, NULL);
    }
#endif
    return AVITO_OK;
}

AVITO_API void avito_client_close(avito_client *client)
{
    if (!avitoi_machine_is_ready(client)) {
        return;
    }
    client->priv.close_asked = true;
    avito_cancel(client);
}

/* ---- arguments ---- */

/* One segment of a path. */
static int avitoi_client_check_id(const char *id)
{
    size_t i, dots = 0;
    if (id == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    while (id[dots] == '.') {
        dots++;
    }
    if (dots <= 2u && id[dots] == '\0') { /* nothing, this directory, the one above */
        return AVITO_ERR_ID;
    }
    for (i = 0; id[i] != '\0'; i++) {
        if (avitoi_text_byte(id[i]) <= ' ' || id[i] == 0x7f || id[i] == '/' || i >= 255u) {
            return AVITO_ERR_ID;
        }
    }
    return AVITO_OK;
}

/* Whether a path has this argument. Not strstr(): newlib's takes 1 KB of stack. */
static bool avitoi_client_path_has(const char *path, char letter)
{
    while ((path = strchr(path, '%')) != NULL) {
        path++;
        if (*path == letter) {
            return true;
        }
    }
    return false;
}

/* ---- the beginning of every call ---- */

/* Refuses a call before it begins. The lane's last error says so, instead of what it said before. */
static int avitoi_client_refuse(avito_client *c, int rc)
{
    if (avitoi_machine_is_ready(c) && c->priv.call == NULL && !c->priv.inside) {
        avitoi_call_forget_error(c);
        c->error.code = rc;
    }
    return rc;
}

/* One call begins with zeros from priv.probe up to priv.json; what belongs to the lane is outside. */
#define AVITOI_CLIENT_AT(member) offsetof(avito_client, priv.member)
AVITOI_ASSERT(calls_begin_with_zeros,
              AVITOI_CLIENT_AT(probe) < AVITOI_CLIENT_AT(retries) &&
                  AVITOI_CLIENT_AT(retries) < AVITOI_CLIENT_AT(call) &&
                  AVITOI_CLIENT_AT(call) < AVITOI_CLIENT_AT(body) &&
                  AVITOI_CLIENT_AT(body) < AVITOI_CLIENT_AT(args) &&
                  AVITOI_CLIENT_AT(args) < AVITOI_CLIENT_AT(json));
#define AVITOI_CLIENT_KEEPS(member) (AVITOI_CLIENT_AT(member) < AVITOI_CLIENT_AT(probe))
AVITOI_ASSERT(lanes_keep_what_is_before,
              AVITOI_CLIENT_KEEPS(state) && AVITOI_CLIENT_KEEPS(connected) && AVITOI_CLIENT_KEEPS(connecting) &&
                  AVITOI_CLIENT_KEEPS(filled) && AVITOI_CLIENT_KEEPS(inside) &&
                  AVITOI_CLIENT_KEEPS(cancel_asked) && AVITOI_CLIENT_KEEPS(close_asked));
AVITOI_ASSERT(lanes_keep_what_is_after,
              AVITOI_CLIENT_AT(json) < AVITOI_CLIENT_AT(baseline) &&
                  AVITOI_CLIENT_AT(baseline) < AVITOI_CLIENT_AT(last_ms) &&
                  AVITOI_CLIENT_AT(baseline) - AVITOI_CLIENT_AT(json) - sizeof(struct avitoi_json) <
                      sizeof(void *));

/* Notes what is asked for. Then the call sets and checks its own arguments, and passes the result of that to
 * avitoi_client_start(). */
static int avitoi_client_prepare(avito_client *c, const struct avitoi_endpoint *call,
                                 int64_t user_id, const char *chat_id, const char *text)
{
    const size_t first = AVITOI_CLIENT_AT(probe);
    int rc = avitoi_machine_enter(c);
    if (rc == AVITO_OK && c->priv.call != NULL) {
        rc = AVITO_ERR_BUSY;
    }
    if (rc == AVITO_OK && avitoi_client_path_has(call->path, 'u') && user_id <= 0) {
        rc = AVITO_ERR_ARGUMENT;
    }
    if (rc == AVITO_OK && avitoi_client_path_has(call->path, 'c')) {
        rc = avitoi_client_check_id(chat_id);
    }
    if (rc == AVITO_OK) {
        rc = avitoi_client_join_account(c, c->account);
    }
    if (rc != AVITO_OK) {
        return rc;
    }
    memset((char *)c + first, 0, AVITOI_CLIENT_AT(json) - first);
    c->priv.args.user_id = user_id;
    c->priv.args.chat_id = chat_id;
    c->priv.args.text = text;
    c->priv.request = call;
    c->priv.want = (uint16_t)~AVITO_RAW;
    return AVITO_OK;
}

/* Starts the prepared call; `rc` is the result of preparing it. */
static int avitoi_client_start(avito_client *c, int rc, avito_arena *arena, void *out)
{
    if (rc == AVITO_OK && arena != NULL && (arena->busy || arena->base == NULL)) {
        rc = arena->busy ? AVITO_ERR_BUSY : AVITO_ERR_ARGUMENT;
    }
    if (rc == AVITO_OK && c->o.dry_run && c->o.priv.dry_run == NULL) {
        rc = AVITO_ERR_OPTION_DRY_RUN; /* it was set after init: nothing may be sent */
    }
    if (rc != AVITO_OK) {
        return avitoi_client_refuse(c, rc);
    }
    c->priv.inside = true;
    avitoi_call_forget_error(c);
    memset(&c->priv.json.mem, 0, sizeof c->priv.json.mem);
    c->priv.json.rows = 0; /* of the list before */
    c->priv.call = c->priv.request;
    c->priv.arena = arena;
    c->priv.out = out;
    if (arena != NULL) {
        arena->used = avitoi_arena_align(arena->used);
        arena->busy = true;
        arena->fills++;
    }
    c->priv.last_ms = avitoi_account_now(c->account);
    c->priv.total_left_ms = c->o.total_timeout_ms;
    (void)avitoi_call_move(c, AVITOI_CALL_EV_START);
    if (c->o.dry_run && (c->priv.call->flags & AVITOI_ENDPOINT_CHANGES) != 0) {
        return avitoi_machine_leave(c, c->o.priv.dry_run(c));
    }
    return avitoi_machine_leave(c, avitoi_machine_run(c));
}

/* A call whose answer is one model. */
static int avitoi_client_get(avito_client *c, int rc, avito_arena *arena, void *out)
{
    if (rc == AVITO_OK && (arena == NULL || out == NULL)) {
        rc = AVITO_ERR_ARGUMENT;
    }
    return avitoi_client_start(c, rc, arena, out);
}

/* ---- tokens, the account, a chat ---- */

AVITO_API int avito_get_token(avito_client *client, avito_token *out)
{
    const int rc = avitoi_client_prepare(client, &avitoi_endpoint_get_token, 0, NULL, NULL);
    return avitoi_client_start(client, rc, NULL, out);
}

AVITO_API int avito_get_self(avito_client *client, avito_arena *arena, avito_self *out)
{
    const int rc = avitoi_client_prepare(client, &avitoi_endpoint_get_self, 0, NULL, NULL);
    return avitoi_client_get(client, rc, arena, out);
}

AVITO_API int avito_get_chat(avito_client *client, int64_t user_id, const char *chat_id,
                             avito_arena *arena, avito_chat *out)
{
    const int rc = avitoi_client_prepare(client, &avitoi_endpoint_get_chat, user_id, chat_id, NULL);
    return avitoi_client_get(client, rc, arena, out);
}

/* ======================================================================= *
 *
 * YOU MAY STOP HERE. This was the core: whatever every program needs. What follows makes it quicker
 * (>>43), or is a part that a program may leave out: first their manual and interfaces, then their code.
 *
 * ======================================================================= */

/* ======================================================================= *
 * >>43 SPEED: HEAD LINES
 * ======================================================================= *
 *
 * Lines of a response head, a word or a block at a time. Comes in: a line that is there as a whole. Goes
 * out: what RESPONSE HEAD would have made of it. May not take a line that is cut or unusual.
 */

#if AVITOI_FAST_HEAD
/* A bit for each byte of a block that is a control byte, or that is neither a letter nor a dash; the lowest
 * for the first. Only the lowest bit that is set is sure to be right. */
#if AVITO_WITH_SIMD
#define AVITOI_FAST_LINE_BLOCK 16u
#define AVITOI_FAST_LINE_FIRST(stops) ((size_t)__builtin_ctz(stops))
typedef unsigned avitoi_fast_line_stops;

static inline avitoi_fast_line_stops avitoi_fast_line_no_text(const char *p)
{
    const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
    return (unsigned)_mm_movemask_epi8(
        _mm_or_si128(control, _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f))));
}

static inline avitoi_fast_line_stops avitoi_fast_line_no_name(const char *p)
{
    const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    const __m128i from_a = _mm_sub_epi8(_mm_or_si128(v, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    const __m128i letter = _mm_cmpeq_epi8(_mm_min_epu8(from_a, _mm_set1_epi8('z' - 'a')), from_a);
    const __m128i dash = _mm_cmpeq_epi8(v, _mm_set1_epi8('-'));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(letter, dash)) ^ 0xffffu;
}
#else
#define AVITOI_FAST_LINE_BLOCK sizeof(size_t)
#define AVITOI_FAST_LINE_FIRST(stops) ((size_t)__builtin_ctzll(stops) / 8u)
#define AVITOI_FAST_LINE_BYTES(c) ((size_t)-1 / 255u * (c)) /* c in every byte of a word */
typedef size_t avitoi_fast_line_stops;

static inline avitoi_fast_line_stops avitoi_fast_line_no_text(const char *p)
{
    size_t x, rubout;
    memcpy(&x, p, sizeof x);
    rubout = x ^ AVITOI_FAST_LINE_BYTES(0x7fu);
    return (((x - AVITOI_FAST_LINE_BYTES(0x20u)) & ~x) |
            ((rubout - AVITOI_FAST_LINE_BYTES(1u)) & ~rubout)) &
           AVITOI_FAST_LINE_BYTES(0x80u);
}

/* Each sum stays within its byte. */
static inline avitoi_fast_line_stops avitoi_fast_line_no_name(const char *p)
{
    size_t x, lower, letter, no_dash;
    memcpy(&x, p, sizeof x);
    lower = (x | AVITOI_FAST_LINE_BYTES(0x20u)) & AVITOI_FAST_LINE_BYTES(0x7fu);
    letter = (lower + AVITOI_FAST_LINE_BYTES(0x80u - 'a')) &
             ~(lower + AVITOI_FAST_LINE_BYTES(0x7fu - 'z'));
    no_dash = ((x & AVITOI_FAST_LINE_BYTES(0x7fu)) ^ AVITOI_FAST_LINE_BYTES('-')) +
              AVITOI_FAST_LINE_BYTES(0x7fu);
    return (x | (~letter & no_dash)) & AVITOI_FAST_LINE_BYTES(0x80u);
}
#endif

/* Counts the bytes of text at `p`. The result, here and below, may be too small. */
static size_t avitoi_fast_line_text_run(const char *p, size_t n)
{
    size_t at = 0;
    for (; at + AVITOI_FAST_LINE_BLOCK <= n; at += AVITOI_FAST_LINE_BLOCK) {
        const avitoi_fast_line_stops stops = avitoi_fast_line_no_text(p + at);
        if (stops != 0) {
            return at + AVITOI_FAST_LINE_FIRST(stops);
        }
    }
    return at;
}

static size_t avitoi_fast_line_name_run(const char *p, size_t n)
{
    size_t at = 0;
    for (; at + AVITOI_FAST_LINE_BLOCK <= n; at += AVITOI_FAST_LINE_BLOCK) {
        const avitoi_fast_line_stops stops = avitoi_fast_line_no_name(p + at);
        if (stops != 0) {
            return at + AVITOI_FAST_LINE_FIRST(stops);
        }
    }
    return at;
}

/* The length of the text that a CR LF ends, or 0. */
static size_t avitoi_fast_line_text(const char *p, size_t n)
{
    const size_t len = avitoi_fast_line_text_run(p, n);
    return (n - len >= 2 && p[len] == '\r' && p[len + 1u] == '\n') ? len : 0u;
}

/* "HTTP/1.1 200 OK". Returns how many bytes it took, or 0. */
static size_t avitoi_fast_status_line(struct avitoi_head *h, const char *p, size_t n)
{
    unsigned status = 0;
    size_t reason, i;
    if (n < 15u || h->word_len > 0 || p[9] == '0' || memcmp(p, "HTTP/1.1 ", 9) != 0 ||
        p[12] != ' ') {
        return 0;
    }
    for (i = 9; i < 12u; i++) {
        const unsigned digit = (unsigned)avitoi_text_byte(p[i]) - '0';
        if (digit > 9u) {
            return 0;
        }
        status = status * 10u + digit;
    }
    reason = avitoi_fast_line_text(p + 13, n - 13u);
    if (reason == 0 || reason + 15u > AVITOI_HEAD_MAX - h->bytes) {
        return 0;
    }
    h->persistent = true;
    h->status = (uint16_t)status;
    h->bytes += (uint32_t)reason + 15u;
    h->state = AVITOI_HEAD_LINE;
    return reason + 15u;
}

/* The value of a header of interest. False: too long for the short way. */
static bool avitoi_fast_line_value(struct avitoi_head *h, char *word, const char *p, size_t len,
                                   int *rc)
{
    avito_str value;
    for (; len > 0 && *p == ' '; len--) {
        p++;
    }
    value.ptr = p;
    value.len = len;
    if (len > AVITOI_JSON_WORD) {
        return false;
    }
    if (h->header == AVITOI_HEAD_FIELD_CODING || h->header == AVITOI_HEAD_FIELD_CONNECTION) {
        value.ptr = word;
        while (len-- > 0) {
            word[len] = avitoi_text_lower(p[len]);
        }
    }
    *rc = avitoi_head_value(h, value, true);
    return true;
}

#define AVITOI_FAST_LINE_LENGTH_(name, word) | 1u << (sizeof(#word) - 1u)

/* Is it this name, in any case? A CR would pass for a dash, but no name has one. Four bytes are compared at a
 * time: no name of interest is shorter. */
static bool avitoi_fast_line_is(const char *p, const char *name, size_t n)
{
    size_t at = 0;
    for (;;) {
        uint32_t here, there;
        memcpy(&here, p + at, sizeof here);
        memcpy(&there, name + at, sizeof there);
        if ((here | 0x20202020u) != there) {
            return false;
        }
        if (at + sizeof here == n) {
            return true;
        }
        at = at + 2u * sizeof here < n ? at + sizeof here : n - sizeof here;
    }
}

/* Which header has this name? */
static uint8_t avitoi_fast_line_field(const char *p, size_t n)
{
    const uint32_t lengths = 0u AVITOI_HEAD_FIELDS(AVITOI_FAST_LINE_LENGTH_);
    const char *word = (const char *)&avitoi_head_fields;
    unsigned number = AVITOI_HEAD_FIELD_NONE + 1u;
    if (n > 31u || (lengths >> n & 1u) == 0) {
        return AVITOI_HEAD_FIELD_OTHER;
    }
    while (*word != '\0' && ((size_t)*word != n || !avitoi_fast_line_is(p, word + 1, n))) {
        word = avitoi_text_next_word(word);
        number++;
    }
    return (uint8_t)number;
}

/* A header line. Returns how many bytes it took, or 0; *rc as avitoi_head_byte(). */
static size_t avitoi_fast_head_line(struct avitoi_head *h, char *word, const char *p, size_t n,
                                    int *rc)
{
    const size_t name = avitoi_fast_line_name_run(p, n);
    size_t len;
    if (name == 0 || name == n || p[name] != ':') {
        return 0;
    }
    len = avitoi_fast_line_text(p + name + 1u, n - name - 1u);
    if (len == 0 || name + len + 3u > AVITOI_HEAD_MAX - h->bytes) {
        return 0;
    }
    h->header = avitoi_fast_line_field(p, name);
    if (h->header != AVITOI_HEAD_FIELD_OTHER &&
        !avitoi_fast_line_value(h, word, p + name + 1u, len, rc)) {
        return 0;
    }
    h->bytes += (uint32_t)(name + len) + 3u;
    return name + len + 3u;
}
#endif

/* ======================================================================= *
 * >>44 SPEED: TEXT
 * ======================================================================= *
 *
 * What follows buys speed only: the JSON machine (>>29) reads the same byte by byte. Comes in: bytes of a
 * string. Goes out: how many of them are plain, and a copy. May not read past the end that it is given.
 */

#if AVITO_WITH_SHORTCUTS

/* Two, four, eight bytes as a number, the first one lowest. Compilers make one load of it. */
static AVITOI_INLINE unsigned avitoi_fast_text_two(const char *p)
{
    return (unsigned)avitoi_text_byte(p[0]) | (unsigned)avitoi_text_byte(p[1]) << 8;
}

static AVITOI_INLINE uint32_t avitoi_fast_text_four(const char *p)
{
    return (uint32_t)avitoi_text_byte(p[0]) | (uint32_t)avitoi_text_byte(p[1]) << 8 |
           (uint32_t)avitoi_text_byte(p[2]) << 16 | (uint32_t)avitoi_text_byte(p[3]) << 24;
}

static AVITOI_INLINE uint64_t avitoi_fast_text_eight(const char *p)
{
    return (uint64_t)avitoi_text_byte(p[0]) | (uint64_t)avitoi_text_byte(p[1]) << 8 |
           (uint64_t)avitoi_text_byte(p[2]) << 16 | (uint64_t)avitoi_text_byte(p[3]) << 24 |
           (uint64_t)avitoi_text_byte(p[4]) << 32 | (uint64_t)avitoi_text_byte(p[5]) << 40 |
           (uint64_t)avitoi_text_byte(p[6]) << 48 | (uint64_t)avitoi_text_byte(p[7]) << 56;
}

#define AVITOI_FAST_TEXT_ONES (~(uint64_t)0 / 255u)   /* 1 in each of eight bytes */
#define AVITOI_FAST_TEXT_TOPS (AVITOI_FAST_TEXT_ONES << 7) /* the top bit of each */

/* The number of the lowest byte whose top bit is set: 1 << 8n times the constant has n on top. */
static AVITOI_INLINE unsigned avitoi_fast_text_first(uint64_t tops)
{
#if AVITO_WITH_SIMD
    return (tops == 0) ? 8u : (unsigned)__builtin_ctzll(tops) >> 3;
#else
    return (tops == 0) ? 8u : (unsigned)(((tops & (0u - tops)) >> 7) * 0x0001020304050607u >> 56);
#endif
}

/* A block of text at `p` is copied to `copy`. avitoi_fast_text_ascii() returns how many bytes at its
 * beginning are printable ASCII without " and \. avitoi_fast_text_block() also knows sequences of UTF-8; it
 * returns 0, or what avitoi_fast_text_stop() makes the number of the first other byte of. *due: what the
 * block must begin with to end a sequence of the block before; then the same for the block after it. */
#if AVITO_WITH_SIMD
#define AVITOI_FAST_TEXT_BLOCK 16u

static AVITOI_INLINE __m128i avitoi_fast_text_load(const char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static AVITOI_INLINE void avitoi_fast_text_save(char *p, __m128i v)
{
    _mm_storeu_si128((__m128i *)(void *)p, v);
}

/* A bit per byte, from its top bit; per byte that is greater as a signed number; per byte that is c. */
static AVITOI_INLINE unsigned avitoi_fast_text_bits(__m128i v)
{
    return (unsigned)_mm_movemask_epi8(v);
}

static AVITOI_INLINE unsigned avitoi_fast_text_above(__m128i v, int than)
{
    return avitoi_fast_text_bits(_mm_cmpgt_epi8(v, _mm_set1_epi8((char)than)));
}

static AVITOI_INLINE unsigned avitoi_fast_text_is(__m128i v, int c)
{
    return avitoi_fast_text_bits(_mm_cmpeq_epi8(v, _mm_set1_epi8((char)c)));
}

/* A bit per byte that is a control character, " or \, or above ASCII, which is negative. With bit 1
 * turned over, " is the space and the space is after it. */
static AVITOI_INLINE unsigned avitoi_fast_text_special(__m128i v)
{
    const __m128i low = _mm_subs_epi8(_mm_xor_si128(v, _mm_set1_epi8(2)), _mm_set1_epi8('"' - 1));
    return avitoi_fast_text_bits(_mm_or_si128(low, _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
}

static AVITOI_INLINE unsigned avitoi_fast_text_stop(uint64_t stops)
{
    return (unsigned)__builtin_ctz((unsigned)stops);
}

static AVITOI_INLINE size_t avitoi_fast_text_ascii(const char *p, char *copy)
{
    const __m128i v = avitoi_fast_text_load(p);
    const unsigned stops = avitoi_fast_text_special(v);
    avitoi_fast_text_save(copy, v);
    return stops != 0 ? avitoi_fast_text_stop(stops) : AVITOI_FAST_TEXT_BLOCK;
}

/* The same for the two blocks after one at `p` that is all ASCII; from 16 to 48. */
static AVITOI_INLINE size_t avitoi_fast_text_ascii_on(const char *p, char *copy)
{
    const __m128i a = avitoi_fast_text_load(p + 16), b = avitoi_fast_text_load(p + 32);
    const unsigned stops = avitoi_fast_text_special(a) | avitoi_fast_text_special(b) << 16;
    avitoi_fast_text_save(copy + 16, a);
    avitoi_fast_text_save(copy + 32, b);
    return 16u + (stops != 0 ? avitoi_fast_text_stop(stops) : 32u);
}

/* Sequences of four bytes: only those that begin with f0 and have their second byte, 90 at least, in
 * the same block. `leads`: what is f0 or above. Returns what stops. */
static AVITOI_INLINE unsigned avitoi_fast_text_four_bytes(__m128i v, unsigned leads)
{
    const unsigned f0 = avitoi_fast_text_is(v, 0xf0);
    const unsigned fit = avitoi_fast_text_above(v, 0x8f - 256);
    return (leads ^ f0) | (f0 & ~(fit >> 1));
}

/* Not those sequences that begin with e0, ed, or f1 and above. As signed bytes: 0xc2 is -62, 0xe0 is
 * -32, 0xf0 is -16, and 0x80..0xbf are below -64. */
static AVITOI_INLINE uint64_t avitoi_fast_text_block(const char *p, char *copy, uint64_t *due)
{
    const __m128i v = avitoi_fast_text_load(p);
    const unsigned high = avitoi_fast_text_bits(v);
    const unsigned follows = high & ~avitoi_fast_text_above(v, -65);
    const unsigned leads = high & avitoi_fast_text_above(v, -63);
    const unsigned lead3 = high & avitoi_fast_text_above(v, -33);
    unsigned need = leads << 1 | (unsigned)*due;
    unsigned stops = avitoi_fast_text_special(v) ^ follows ^ leads;
    avitoi_fast_text_save(copy, v);
    if (lead3 != 0) {
        const unsigned lead4 = high & avitoi_fast_text_above(v, -17);
        need |= lead3 << 2 | lead4 << 3;
        stops |= avitoi_fast_text_is(v, 0xe0) | avitoi_fast_text_is(v, 0xed);
        if (lead4 != 0) {
            stops |= avitoi_fast_text_four_bytes(v, lead4);
        }
    }
    *due = need >> 16;
    return (stops | (follows ^ need)) & 0xffffu;
}
#else
#define AVITOI_FAST_TEXT_BLOCK 8u

/* The top bit of each byte that is a control character, " or \; bits after the first one, and those
 * of bytes above ASCII, may be anything. With bit 1 turned over, " is the space and the space after it. */
static AVITOI_INLINE uint64_t avitoi_fast_text_special(uint64_t v)
{
    return ((v ^ AVITOI_FAST_TEXT_ONES * 2u) - AVITOI_FAST_TEXT_ONES * ('"' - 1u)) |
           ((v ^ AVITOI_FAST_TEXT_ONES * '\\') - AVITOI_FAST_TEXT_ONES);
}

static AVITOI_INLINE unsigned avitoi_fast_text_stop(uint64_t stops)
{
    return avitoi_fast_text_first(stops);
}

static AVITOI_INLINE size_t avitoi_fast_text_ascii(const char *p, char *copy)
{
    const uint64_t v = avitoi_fast_text_eight(p);
    memcpy(copy, p, 8);
    return avitoi_fast_text_first((v | avitoi_fast_text_special(v)) & AVITOI_FAST_TEXT_TOPS);
}

/* Of the leads of three bytes and more: what stops, as above. A shift by n has bit 7 - n on top. */
static AVITOI_INLINE uint64_t avitoi_fast_text_long_leads(uint64_t v, uint64_t lead3,
                                                          uint64_t lead4)
{
    const uint64_t e0 = ~(v << 4 | v << 5 | v << 6 | v << 7);
    const uint64_t ed = v << 4 & v << 5 & ~(v << 6) & v << 7;
    const uint64_t above = v << 4 | v << 5 | v << 6 | v << 7; /* f0 */
    const uint64_t fit =
        ((v << 2 | v << 3) & AVITOI_FAST_TEXT_TOPS) >> 8; /* 90 at least comes next */
    return (lead3 & ~lead4 & (e0 | ed)) | (lead4 & (above | ~fit));
}

/* Sequences of two to four bytes: 110xxxxx except c0 and c1, 1110xxxx, 11110000, and 10xxxxxx. */
static AVITOI_INLINE uint64_t avitoi_fast_text_block(const char *p, char *copy, uint64_t *due)
{
    const uint64_t v = avitoi_fast_text_eight(p), tops = AVITOI_FAST_TEXT_TOPS;
    const uint64_t follows = v & ~(v << 1) & tops, leads = v & v << 1 & tops;
    const uint64_t lead3 = leads & v << 2;
    const uint64_t low = v << 3 | v << 4 | v << 5 | v << 6; /* not c0, c1 */
    uint64_t need = leads << 8 | *due, stops = leads & ~(v << 2 | low);
    memcpy(copy, p, 8);
    *due = leads >> 56;
    if (lead3 != 0) {
        const uint64_t lead4 = lead3 & v << 3;
        need |= lead3 << 16 | lead4 << 24;
        *due |= lead3 >> 48 | lead4 >> 40;
        stops |= avitoi_fast_text_long_leads(v, lead3, lead4);
    }
    return stops | (follows ^ need) | (avitoi_fast_text_special(v) & ~v & tops);
}
#endif

/* Four hexadecimal digits at once, lowest byte first: each pair's value is in bytes 0 and 2.
 * False: others are among them. Letters have bit 6. */
static AVITOI_INLINE bool avitoi_fast_text_hex_pairs(uint32_t four, uint32_t *pairs)
{
    const uint32_t letters = four >> 6 & 0x01010101u;
    const uint32_t digits = (four | letters << 5) - 0x30303030u - letters * 0x27u;
    *pairs = (digits << 4 | digits >> 8) & 0x00ff00ffu;
    return ((digits & 0xf0f0f0f0u) | (((digits + 0x06060606u) >> 4 & 0x01010101u) ^ letters)) == 0;
}

/* More than 16 bits: it is not four digits. */
static uint32_t avitoi_fast_text_unit(const char *p)
{
    uint32_t pairs;
    return avitoi_fast_text_hex_pairs(avitoi_fast_text_four(p), &pairs)
               ? (pairs << 8 & 0xff00u) | pairs >> 16
               : UINT32_MAX;
}

/* Two code points of one block, from their lower halves in four digits, to four bytes. */
static AVITOI_INLINE bool avitoi_fast_text_escape_pair(uint32_t digits, uint32_t leads, char *to)
{
    uint32_t pairs, utf8;
    if (!avitoi_fast_text_hex_pairs(digits, &pairs)) {
        return false;
    }
    utf8 = leads | (pairs >> 6 & 0x00030003u) | (pairs & 0x003f003fu) << 8;
    to[0] = (char)(utf8 & 0xffu);
    to[1] = (char)(utf8 >> 8 & 0xffu);
    to[2] = (char)(utf8 >> 16 & 0xffu);
    to[3] = (char)(utf8 >> 24);
    return true;
}

/* Escapes in a row from one block of 256, two at a time: p[0..3] is what they begin with, \u01 to
 * \u07, so that each becomes two bytes, as in most alphabets except the Latin. Up to `last` four bytes
 * have room; no more bytes come out than go in, so one border serves for both. */
static const char *avitoi_fast_text_escape_run(const char *p, const char *end, char **out,
                                               const char *last)
{
    const uint32_t prefix = avitoi_fast_text_four(p);
    const uint32_t lead = 0xc0u | (uint32_t)(p[3] - '0') << 2;
    const uint32_t leads = 0x80008000u | lead << 16 | lead;
    char *to = *out;
    const ptrdiff_t most = (end - p < last - to) ? end - p : last - to;
    const char *const stop = (most >= 14) ? p + most - 14 : p - 1;
    while (p <= stop) {
        const uint64_t first = avitoi_fast_text_eight(p), second = avitoi_fast_text_eight(p + 6);
        const bool both = (uint32_t)second == prefix;
        const uint32_t low = both ? (uint32_t)(second >> 32) << 16 : 0x30300000u;
        if ((uint32_t)first != prefix ||
            !avitoi_fast_text_escape_pair(((uint32_t)(first >> 32) & 0xffffu) | low, leads, to)) {
            break;
        }
        to += both ? 4 : 2;
        p += both ? 12 : 6;
        if (*p == ' ') { /* perhaps the next word */
            *to++ = *p++;
        }
    }
    *out = to;
    return p;
}

/* The code point of the \u at `p`, a surrogate pair included, and the bytes that it takes; 0: it is
 * cut, half of a pair, or none. */
static unsigned avitoi_fast_text_escaped(const char *p, const char *end, uint32_t *point)
{
    uint32_t low;
    if (end - p < 6) {
        return 0;
    }
    *point = avitoi_fast_text_unit(p + 2);
    if (*point < 0xd800u || (*point > 0xdfffu && *point <= 0xffffu)) {
        return 6;
    }
    if (*point > 0xdbffu || end - p < 12 || p[6] != '\\' || p[7] != 'u') {
        return 0;
    }
    low = avitoi_fast_text_unit(p + 8);
    *point = 0x10000u + ((*point - 0xd800u) << 10) + (low - 0xdc00u);
    return (low >= 0xdc00u && low <= 0xdfffu) ? 12 : 0;
}

/* What the escape \c means; 0: there is none. */
static AVITOI_INLINE char avitoi_fast_text_escape(char c)
{
    switch (c) {
        case 'n':
            return '\n';
        case '"':
        case '\\':
        case '/':
            return c;
        case 't':
            return '\t';
        case 'r':
            return '\r';
        case 'b':
            return '\b';
        case 'f':
            return '\f';
        default:
            return '\0';
    }
}

/* Text inside a string that is being decoded. */
struct avitoi_fast_text_run {
    const char *p, *end;
    char *out, *top; /* where it goes; what is only checked goes to one place */
    size_t checked;  /* bytes of it, if it is only checked */
    bool keep;
};

static AVITOI_INLINE void avitoi_fast_text_took(struct avitoi_fast_text_run *r, size_t in,
                                                size_t out)
{
    r->p += in;
    if (r->keep) {
        r->out += out;
    } else {
        r->checked += out;
    }
}

/* How many bytes before `p`, of the last `n`, begin a sequence that is not complete. */
static AVITOI_INLINE size_t avitoi_fast_text_begun(const char *p, size_t n)
{
    if (n == 0 || avitoi_text_byte(p[-1]) < 0x80) {
        return 0;
    }
    if (avitoi_text_byte(p[-1]) >= 0xc0) {
        return 1;
    }
    if (n > 1 && avitoi_text_byte(p[-2]) >= 0xe0) {
        return 2;
    }
    return (n > 2 && avitoi_text_byte(p[-3]) >= 0xf0) ? 3 : 0;
}

/* Whole blocks, up to a byte that needs a closer look. False: there is no room for another block. */
static AVITOI_INLINE bool avitoi_fast_text_blocks(struct avitoi_fast_text_run *r)
{
    const ptrdiff_t ahead = r->end - r->p, room = r->top - r->out;
    const ptrdiff_t last =
        ((r->keep && room < ahead) ? room : ahead) - (ptrdiff_t)AVITOI_FAST_TEXT_BLOCK;
    uint64_t due = 0, stops = 0;
    ptrdiff_t n = 0;
    while (n <= last) {
        stops = avitoi_fast_text_block(r->p + n, r->keep ? r->out + n : r->out, &due);
        if (stops != 0) {
            n += (ptrdiff_t)avitoi_fast_text_stop(stops);
            break;
        }
        n += (ptrdiff_t)AVITOI_FAST_TEXT_BLOCK;
    }
    n -= (ptrdiff_t)avitoi_fast_text_begun(r->p + n, (size_t)n);
    avitoi_fast_text_took(r, (size_t)n, (size_t)n);
    return stops != 0;
}

/* Single bytes, where there is no room for a block. */
static AVITOI_INLINE void avitoi_fast_text_bytes(struct avitoi_fast_text_run *r)
{
    while (r->p < r->end && r->out < r->top && avitoi_text_is_plain(*r->p)) {
        *r->out = *r->p;
        avitoi_fast_text_took(r, 1, 1);
    }
}

/* One \uXXXX, or a pair of them, or many from one block of code points. False: cut, wrong, or no room. */
static bool avitoi_fast_text_units(const char **p, const char *end, char **out, const char *top)
{
    uint32_t point;
    unsigned n;
    const char *const before = *p;
    if (top - *out < 4) { /* a code point may take four bytes */
        return false;
    }
    if (end - before >= 12 && before[2] == '0' && before[3] >= '1' && before[3] <= '7') {
        *p = avitoi_fast_text_escape_run(before, end, out, top - 4);
        if (*p > before) {
            return true;
        }
    }
    n = avitoi_fast_text_escaped(before, end, &point);
    if (n > 0) {
        *out += avitoi_text_utf8_put(point, *out);
        *p += n;
    }
    return n > 0;
}

/* At a backslash. False: the escape is cut, wrong, or has no room. */
static AVITOI_INLINE bool avitoi_fast_text_unescape(struct avitoi_fast_text_run *r)
{
    const char *p = r->p;
    char *out = r->out;
    if (r->end - p < 2) {
        return false;
    }
    if (p[1] != 'u') {
        const char c = avitoi_fast_text_escape(p[1]);
        if (c == '\0' || out == r->top) {
            return false;
        }
        *out = c;
        avitoi_fast_text_took(r, 2, 1);
        return true;
    }
    if (!avitoi_fast_text_units(&p, r->end, &out, r->top)) {
        return false;
    }
    avitoi_fast_text_took(r, (size_t)(p - r->p), (size_t)(out - r->out));
    return true;
}

/* A sequence by itself. False: wrong, cut, or no room. */
static AVITOI_INLINE bool avitoi_fast_text_sequence(struct avitoi_fast_text_run *r)
{
    const size_t ahead = (size_t)(r->end - r->p), room = (size_t)(r->top - r->out);
    const size_t n = avitoi_text_byte(*r->p) < 0x80 ? 0u : avitoi_text_utf8_length(r->p, ahead);
    if (n == 0 || n > ahead || n > room) {
        return false;
    }
    memcpy(r->out, r->p, n);
    avitoi_fast_text_took(r, n, n);
    return true;
}

/* Up to the quote, to anything that is wrong, cut or has no room, or to the end. */
static AVITOI_INLINE void avitoi_fast_text_read(struct avitoi_fast_text_run *r)
{
    bool more = true;
    while (more) {
        if (!avitoi_fast_text_blocks(r)) {
            avitoi_fast_text_bytes(r);
        }
        more = r->p < r->end && *r->p != '"' &&
               (*r->p == '\\' ? avitoi_fast_text_unescape(r) : avitoi_fast_text_sequence(r));
    }
}

/* Text inside a string is decoded to `out`, which has `room` bytes; *len: how many were used. Returns
 * where it ends: before the quote, before what is wrong, cut or has no room, or at `end`. */
static const char *avitoi_fast_text_decode(const char *p, const char *end, char *out, size_t room,
                                           size_t *len)
{
    struct avitoi_fast_text_run r;
    r.p = p;
    r.end = end;
    r.out = out;
    r.top = out + room;
    r.checked = 0;
    r.keep = true;
    avitoi_fast_text_read(&r);
    *len = (size_t)(r.out - out);
    return r.p;
}

/* The same for text that is only checked, and counted. */
static const char *avitoi_fast_text_check(const char *p, const char *end, size_t *len)
{
    char sink[AVITOI_FAST_TEXT_BLOCK];
    struct avitoi_fast_text_run r;
    r.p = p;
    r.end = end;
    r.out = sink;
    r.top = sink + sizeof sink;
    r.checked = 0;
    r.keep = false;
    avitoi_fast_text_read(&r);
    *len = r.checked;
    return r.p;
}
#endif

/* ======================================================================= *
 * >>45 SPEED: MEMBERS
 * ======================================================================= *
 *
 * What lies in the window as a whole and is of the usual kind is read in one go, many members at a
 * time. The short way starts where a member or an element may begin, takes whole members, and leaves
 * exactly the state in which the machine (>>29) would be after them. It raises no error: what is
 * cut, rare or wrong it leaves to the machine, from the member's beginning, and the machine decides.
 *
 * Two borders serve for all of it: `near`, AVITOI_FAST_AHEAD bytes before the end of the window, where
 * a member may still begin; and `lim`, a block and a NUL before the end of the room. The last bytes of a window
 * are read from a copy with AVITOI_FAST_AHEAD bytes after it that no JSON has.
 *
 * Comes in: bytes of a body and the machine's state. Goes out: how many were taken, and the state after
 * them. May not raise an error.
 */

#if AVITO_WITH_SHORTCUTS

#define AVITOI_FAST_AHEAD 24 /* a key with its quotes and colon, a blank, what follows; no number has more */
#define AVITOI_FAST_TAIL  64 /* bytes of the copy, with those after it */
#define AVITOI_FAST_ROOM  (AVITOI_FAST_TEXT_BLOCK + 1u) /* a block and a NUL */

AVITOI_ASSERT(form_is_short, sizeof(((struct avitoi_schema_field *)NULL)->form) <= AVITOI_FAST_AHEAD);

/* ---- blanks ---- */

static AVITOI_INLINE bool avitoi_fast_is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Skips spaces, many at a time, as far as that goes. */
static AVITOI_INLINE const char *avitoi_fast_spaces(const char *p, const char *end)
{
#if AVITO_WITH_SIMD
    while (end - p >= 16) {
        const unsigned other = 0xffffu ^ avitoi_fast_text_is(avitoi_fast_text_load(p), ' ');
        if (other != 0) {
            return p + avitoi_fast_text_stop(other);
        }
        p += 16;
    }
#else
    while (end - p >= 8) {
        const uint64_t v = avitoi_fast_text_eight(p) ^ AVITOI_FAST_TEXT_ONES * ' ';
        const uint64_t other =
            (v | ((v & ~AVITOI_FAST_TEXT_TOPS) + ~AVITOI_FAST_TEXT_TOPS)) & AVITOI_FAST_TEXT_TOPS;
        if (other != 0) {
            return p + avitoi_fast_text_first(other);
        }
        p += 8;
    }
#endif
    return p;
}

/* Returns what follows the blanks at `p`, which is not `end`: most are a line break and spaces. */
AVITOI_APART static const char *avitoi_fast_blanks_on(const char *p, const char *end)
{
    if (avitoi_fast_is_blank(*p)) {
        p = avitoi_fast_spaces(p + 1, end);
    }
    while (p < end && avitoi_fast_is_blank(*p)) {
        p++;
    }
    return p;
}

/* The same where mostly there are none. */
static AVITOI_INLINE const char *avitoi_fast_blanks(const char *p, const char *end)
{
    return (p < end && avitoi_text_byte(*p) <= ' ') ? avitoi_fast_blanks_on(p, end) : p;
}

/* ---- values that are only checked ---- */

/* The end of a string, from inside it; NULL: cut or wrong. */
AVITOI_APART static const char *avitoi_fast_skip_text(const char *p, const char *end)
{
    size_t len;
    p = avitoi_fast_text_check(p, end, &len);
    return (p == end || *p != '"') ? NULL : p + 1;
}

static const char *avitoi_fast_skip_string(const char *p, const char *end)
{
    char sink[AVITOI_FAST_TEXT_BLOCK];
    while (end - p >= (ptrdiff_t)AVITOI_FAST_TEXT_BLOCK) {
        const size_t n = avitoi_fast_text_ascii(p, sink);
        p += n;
        if (n < AVITOI_FAST_TEXT_BLOCK) {
            return (*p == '"') ? p + 1 : avitoi_fast_skip_text(p, end);
        }
    }
    return avitoi_fast_skip_text(p, end);
}

/* Up to eight digits at once: how many there are, and their value. Those of a shorter number move up,
 * so that zeros come before them; then pairs, fours and eight are put together. */
static AVITOI_INLINE unsigned avitoi_fast_eight(const char *p, uint64_t *value)
{
    uint64_t v = avitoi_fast_text_eight(p) ^ AVITOI_FAST_TEXT_ONES * '0';
    const unsigned n =
        avitoi_fast_text_first((v | (v + AVITOI_FAST_TEXT_ONES * 0x76u)) & AVITOI_FAST_TEXT_TOPS);
    v = (n == 0) ? 0 : v << (64u - 8u * n);
    v = v * 2561u >> 8 & 0x00ff00ff00ff00ffu;     /* 10 << 8 | 1 */
    v = v * 6553601u >> 16 & 0x0000ffff0000ffffu; /* 100 << 16 | 1 */
    *value = v * 42949672960001u >> 32;           /* 10000 << 32 | 1 */
    return n;
}

/* The end of the digits at `p`; *value: the number that they are, if they are not too many. */
static AVITOI_INLINE const char *avitoi_fast_digits(const char *p, const char *end, uint64_t *value)
{
    *value = 0;
    if (end - p >= 8) {
        const unsigned n = avitoi_fast_eight(p, value);
        p += n;
        if (n < 8u) {
            return p;
        }
    }
    for (; p < end && avitoi_number_is_digit(*p); p++) {
        *value = *value * 10u + (avitoi_text_byte(*p) - (unsigned)'0');
    }
    return p;
}

/* The end of the whole part of a number, after its sign; NULL: there is none. */
static AVITOI_INLINE const char *avitoi_fast_whole(const char *p, const char *end, uint64_t *value)
{
    const char *const after = avitoi_fast_digits(p, end, value);
    return (after == p || (*p == '0' && after - p > 1)) ? NULL : after;
}

/* May this byte end a number? What it is, a blank or something wrong, is looked at later. */
static AVITOI_INLINE bool avitoi_fast_ends_number(char c)
{
    return c == ',' || c == '}' || c == ']' || avitoi_text_byte(c) <= ' ';
}

/* Skips the `c` of a number, if there is one, and the digits that must follow it. NULL: no digits. */
static const char *avitoi_fast_skip_suffix(const char *p, const char *end, char c)
{
    const char *first;
    uint64_t value;
    if (p == NULL || p == end || (*p != c && (c != 'e' || *p != 'E'))) {
        return p;
    }
    first = p + 1;
    if (c == 'e' && first < end && (*first == '+' || *first == '-')) {
        first++;
    }
    p = avitoi_fast_digits(first, end, &value);
    return (p == first) ? NULL : p;
}

/* The end of a number; NULL: cut or none. */
static const char *avitoi_fast_skip_number(const char *p, const char *end)
{
    uint64_t value;
    p = avitoi_fast_whole(p + (*p == '-' ? 1 : 0), end, &value);
    p = avitoi_fast_skip_suffix(p, end, '.');
    p = avitoi_fast_skip_suffix(p, end, 'e');
    return (p != NULL && p < end && avitoi_fast_ends_number(*p)) ? p : NULL;
}

/* The end of a value without parts; NULL: cut, or none. */
static const char *avitoi_fast_skip_scalar(const char *p, const char *end)
{
    if (end - p < 6) {
        return NULL;
    }
    switch (*p) {
        case '"':
            return avitoi_fast_skip_string(p + 1, end);
        case 't':
            return (memcmp(p, "true", 4) == 0) ? p + 4 : NULL;
        case 'n':
            return (memcmp(p, "null", 4) == 0) ? p + 4 : NULL;
        case 'f':
            return (memcmp(p, "false", 5) == 0) ? p + 5 : NULL;
        default:
            return avitoi_fast_skip_number(p, end);
    }
}

/* A value with parts that is only checked. */
struct avitoi_fast_skip {
    const char *p, *end;
    uint32_t objects; /* a bit per open container, the innermost lowest */
    unsigned depth, most;
};

enum { AVITOI_FAST_SKIP_VALUE, AVITOI_FAST_SKIP_KEY, AVITOI_FAST_SKIP_AFTER, AVITOI_FAST_SKIP_WRONG };

static AVITOI_INLINE unsigned avitoi_fast_skip_close(struct avitoi_fast_skip *r)
{
    r->p++;
    r->objects >>= 1;
    r->depth--;
    return AVITOI_FAST_SKIP_AFTER;
}

static AVITOI_INLINE unsigned avitoi_fast_skip_open(struct avitoi_fast_skip *r)
{
    const bool object = *r->p == '{';
    if (r->depth == r->most) {
        return AVITOI_FAST_SKIP_WRONG;
    }
    r->objects = r->objects << 1 | (object ? 1u : 0u);
    r->depth++;
    r->p = avitoi_fast_blanks(r->p + 1, r->end);
    if (r->p < r->end && *r->p == (object ? '}' : ']')) {
        return avitoi_fast_skip_close(r);
    }
    return object ? AVITOI_FAST_SKIP_KEY : AVITOI_FAST_SKIP_VALUE;
}

static AVITOI_INLINE unsigned avitoi_fast_skip_value(struct avitoi_fast_skip *r)
{
    const char *after;
    if (r->p < r->end && (*r->p == '{' || *r->p == '[')) {
        return avitoi_fast_skip_open(r);
    }
    after = avitoi_fast_skip_scalar(r->p, r->end);
    r->p = after;
    return after == NULL ? AVITOI_FAST_SKIP_WRONG : AVITOI_FAST_SKIP_AFTER;
}

static AVITOI_INLINE unsigned avitoi_fast_skip_key(struct avitoi_fast_skip *r)
{
    const char *p = r->p;
    if (p == r->end || *p != '"') {
        return AVITOI_FAST_SKIP_WRONG;
    }
    p = avitoi_fast_skip_string(p + 1, r->end);
    if (p == NULL) {
        return AVITOI_FAST_SKIP_WRONG;
    }
    p = avitoi_fast_blanks(p, r->end);
    if (p == r->end || *p != ':') {
        return AVITOI_FAST_SKIP_WRONG;
    }
    r->p = avitoi_fast_blanks(p + 1, r->end);
    return AVITOI_FAST_SKIP_VALUE;
}

static AVITOI_INLINE unsigned avitoi_fast_skip_after(struct avitoi_fast_skip *r)
{
    const bool object = (r->objects & 1u) != 0;
    r->p = avitoi_fast_blanks(r->p, r->end);
    if (r->p == r->end) {
        return AVITOI_FAST_SKIP_WRONG;
    }
    if (*r->p == (object ? '}' : ']')) {
        return avitoi_fast_skip_close(r);
    }
    if (*r->p != ',') {
        return AVITOI_FAST_SKIP_WRONG;
    }
    r->p = avitoi_fast_blanks(r->p + 1, r->end);
    return object ? AVITOI_FAST_SKIP_KEY : AVITOI_FAST_SKIP_VALUE;
}

/* The end of any value that is inside `depth` containers; NULL: it is cut, wrong, or too deep. */
AVITOI_APART static const char *avitoi_fast_skip_any(const char *p, const char *end, unsigned depth)
{
    struct avitoi_fast_skip r;
    unsigned at;
    r.p = p;
    r.end = end;
    r.objects = 0;
    r.depth = 0;
    r.most = AVITOI_JSON_MAX_DEPTH - depth;
    at = avitoi_fast_skip_value(&r);
    while (r.depth > 0 && at != AVITOI_FAST_SKIP_WRONG) {
        if (at == AVITOI_FAST_SKIP_VALUE) {
            at = avitoi_fast_skip_value(&r);
        } else if (at == AVITOI_FAST_SKIP_KEY) {
            at = avitoi_fast_skip_key(&r);
        } else {
            at = avitoi_fast_skip_after(&r);
        }
    }
    return at == AVITOI_FAST_SKIP_WRONG ? NULL : r.p;
}

/* The end of a member that no row knows, from its key's quote; NULL: cut or wrong. Blanks before the
 * colon, or an escape in the key, may hide a key that a row does know. */
AVITOI_APART static const char *avitoi_fast_skip_member(const char *p, const char *end,
                                                        unsigned depth)
{
    const char *const start = p;
    p = avitoi_fast_skip_string(p + 1, end);
    if (p == NULL || p == end || *p != ':' || memchr(start, '\\', (size_t)(p - start)) != NULL) {
        return NULL;
    }
    return avitoi_fast_skip_any(avitoi_fast_blanks(p + 1, end), end, depth);
}

/* Skips members of an object of which nothing is wanted. */
static const char *avitoi_fast_skip_members(struct avitoi_json *j, const char *p, const char *end)
{
    bool more = true;
    while (more && p < end && *p == '"') {
        const char *const after = avitoi_fast_skip_member(p, end, j->depth);
        if (after == NULL) {
            break;
        }
        p = avitoi_fast_blanks(after, end);
        more = p < end && *p == ',';
        j->state = more ? AVITOI_JSON_AT_KEY : AVITOI_JSON_AT_AFTER;
        p = more ? avitoi_fast_blanks(p + 1, end) : p;
    }
    return p;
}

/* ---- the run ---- */

/* What the short way keeps at hand. Its functions are inlined into one, so that most of this lives in
 * registers. */
struct avitoi_fast {
    struct avitoi_json *j;
    struct avitoi_json_frame *f; /* on top, with its schema and its struct */
    const struct avitoi_schema *schema;
    char *model;
    const struct avitoi_schema_field *row; /* the one that is expected, or is being read */
    uint32_t seen, bit;             /* of the frame; of the row */
    const char *p, *near, *start;   /* here; the border; the member's beginning */
    char *low, *lim;                /* the low end; the border */
};

/* Where it goes on. */
enum {
    AVITOI_FAST_MEMBER,   /* at the quote of a key, not after the border */
    AVITOI_FAST_AFTER,    /* after a member */
    AVITOI_FAST_PAIR,     /* at the quote of a key of a map of strings */
    AVITOI_FAST_LIST_END, /* at the last character of a list */
    AVITOI_FAST_ELEMENT,  /* where an element of a list of objects begins */
    AVITOI_FAST_LEAVE     /* with the machine, whose state is set */
};

static AVITOI_INLINE unsigned avitoi_fast_leave(struct avitoi_fast *r, unsigned state)
{
    r->j->state = (uint8_t)state;
    return AVITOI_FAST_LEAVE;
}

/* The same between members: the row before this one was the last. */
static AVITOI_INLINE unsigned avitoi_fast_between(struct avitoi_fast *r, unsigned state)
{
    const unsigned row = (unsigned)(r->row - avitoi_schema_fields(r->schema));
    r->f->field = (uint8_t)((row - 1u) & AVITOI_JSON_LAST_FIELD);
    return avitoi_fast_leave(r, state);
}

/* The machine reads this member, from its beginning. */
static AVITOI_INLINE unsigned avitoi_fast_undo(struct avitoi_fast *r)
{
    r->p = r->start;
    return avitoi_fast_leave(r, AVITOI_JSON_AT_KEY);
}

static AVITOI_INLINE const char *avitoi_fast_end(const struct avitoi_fast *r)
{
    return r->near + AVITOI_FAST_AHEAD;
}

/* The end of the room: where the high end begins. */
static AVITOI_INLINE char *avitoi_fast_top(const struct avitoi_fast *r)
{
    return r->lim + AVITOI_FAST_ROOM;
}

static AVITOI_INLINE bool avitoi_fast_fits(const struct avitoi_fast *r, const char *at, size_t n)
{
    return avitoi_fast_top(r) - at >= (ptrdiff_t)n;
}

/* An aligned place at the low end. */
static AVITOI_INLINE char *avitoi_fast_aligned(const struct avitoi_fast *r)
{
    char *const base = r->j->mem.low_base;
    return base + avitoi_arena_align((size_t)(r->low - base));
}

/* Before the high end goes down: as avitoi_json_fits(). */
static AVITOI_INLINE void avitoi_fast_peak(struct avitoi_fast *r)
{
    struct avitoi_arena_ends *mem = &r->j->mem;
    const size_t high = (size_t)(mem->high_end - avitoi_fast_top(r));
    const size_t sum = (size_t)(r->low - mem->low_base) + high;
    mem->peak = (sum > mem->peak) ? sum : mem->peak;
}

static AVITOI_INLINE void avitoi_fast_expect(struct avitoi_fast *r, unsigned row)
{
    r->row = avitoi_schema_fields(r->schema) + row;
    r->bit = 1u << row;
}

/* The member's value is in its place; the next row is expected. */
static AVITOI_INLINE unsigned avitoi_fast_taken(struct avitoi_fast *r)
{
    r->seen |= r->bit;
    r->bit += r->bit;
    r->row++;
    return AVITOI_FAST_AFTER;
}

static AVITOI_INLINE void avitoi_fast_store(struct avitoi_fast *r, const void *value, size_t size)
{
    memcpy(r->model + r->row->offset, value, size);
}

/* ---- keys ---- */

/* Is the form of the row at `p`? AVITOI_FAST_AHEAD bytes can be read there. */
static AVITOI_INLINE bool avitoi_fast_key_is(const struct avitoi_schema_field *row, const char *p)
{
    const size_t n = row->form_len;
    const uint64_t first = avitoi_fast_text_eight(p) ^ avitoi_fast_text_eight(row->form);
    if (n <= 8u) {
        return n != 0 && first << (64u - 8u * n) == 0;
    }
    return first == 0 &&
           avitoi_fast_text_eight(p + n - 8) == avitoi_fast_text_eight(row->form + n - 8) &&
           (n <= 16u || avitoi_fast_text_eight(p + 8) == avitoi_fast_text_eight(row->form + 8));
}

/* The same by one comparison, which no form of more than 16 bytes passes. */
static AVITOI_INLINE bool avitoi_fast_key_is_expected(const struct avitoi_schema_field *row,
                                                      const char *p)
{
#if AVITO_WITH_SIMD
    const __m128i same = _mm_cmpeq_epi8(avitoi_fast_text_load(p), avitoi_fast_text_load(row->form));
    return (avitoi_fast_text_bits(same) & row->mask) == row->mask;
#else
    return avitoi_fast_key_is(row, p);
#endif
}

/* The row from `row` up to `last` whose form is at `p`; no form has less than four bytes. */
static AVITOI_INLINE const struct avitoi_schema_field *
avitoi_fast_key_among(const struct avitoi_schema_field *row, const struct avitoi_schema_field *last,
                      const char *p)
{
    const uint32_t four = avitoi_fast_text_four(p);
    for (; row < last; row++) {
        if (avitoi_fast_text_four(row->form) == four && avitoi_fast_key_is(row, p)) {
            return row;
        }
    }
    return NULL;
}

/* Finds the row of the key at r->p: mostly the expected one, else one of those after it, else before. */
static AVITOI_INLINE bool avitoi_fast_key(struct avitoi_fast *r)
{
    const struct avitoi_schema_field *const fields = avitoi_schema_fields(r->schema), *found;
    const char *const p = r->p + 1;
    if (avitoi_fast_key_is_expected(r->row, p)) {
        return true;
    }
    found = avitoi_fast_key_among(r->row, fields + r->schema->count, p);
    found = (found != NULL) ? found : avitoi_fast_key_among(fields, r->row, p);
    if (found != NULL) {
        avitoi_fast_expect(r, (unsigned)(found - fields));
    }
    return found != NULL;
}

/* ---- values ---- */

/* null, which any row may have. */
static AVITOI_INLINE unsigned avitoi_fast_null(struct avitoi_fast *r)
{
    if (r->p > r->near || memcmp(r->p, "null", 4) != 0) {
        return avitoi_fast_undo(r);
    }
    r->p += 4;
    return avitoi_fast_taken(r);
}

/* The rest of a string, from `p`; what came before goes from `low` to `out`. */
AVITOI_APART static const char *avitoi_fast_decode_rest(const char *p, const char *end, const char *low,
                                                        char *out, char *top, size_t *len,
                                                        const char **stop)
{
    size_t more;
    p = avitoi_fast_text_decode(p, end, out, (size_t)(top - out), &more);
    out += more;
    *len = (size_t)(out - low);
    *stop = p;
    if (p == end || *p != '"' || out >= top) {
        return NULL;
    }
    *out = '\0';
    return p + 1;
}

/* The string after an opening quote, and a NUL, go to `low`; *len tells how many bytes it has. Returns
 * what is after the closing quote. NULL: it is cut, wrong, or has no room; then *stop tells how far it
 * was read. */
static AVITOI_INLINE const char *avitoi_fast_decode(const struct avitoi_fast *r, const char *p,
                                                    char *low, size_t *len, const char **stop)
{
    char *out = low;
    while (p <= r->near && out <= r->lim) {
        size_t n = avitoi_fast_text_ascii(p, out);
#if AVITO_WITH_SIMD
        if (n == AVITOI_FAST_TEXT_BLOCK && r->near - p >= 40 && r->lim - out >= 48) {
            n = avitoi_fast_text_ascii_on(p, out);
        }
#endif
        p += n;
        out += n;
        if (*p == '"') {
            *out = '\0';
            *len = (size_t)(out - low);
            return p + 1;
        }
        if (n < AVITOI_FAST_TEXT_BLOCK) {
            break;
        }
    }
    return avitoi_fast_decode_rest(p, avitoi_fast_end(r), low, out, avitoi_fast_top(r), len, stop);
}

/* A string that goes on in the next window: the machine reads on where it ends here, or from the
 * member's beginning if that is not what stopped it. */
static AVITOI_INLINE unsigned avitoi_fast_cut(struct avitoi_fast *r, size_t len, const char *stop)
{
    struct avitoi_json *j = r->j;
    char *const dst = r->low + len;
    if (avitoi_fast_end(r) - stop >= 12 || !avitoi_fast_fits(r, dst, 16) ||
        r->row->kind == AVITOI_SCHEMA_TYPE || (r->row->kind == AVITOI_SCHEMA_TEXT && j->cut_at > 0)) {
        return avitoi_fast_undo(r);
    }
    r->seen |= r->bit;
    r->f->field = (uint8_t)(r->row - avitoi_schema_fields(r->schema));
    j->kind = AVITOI_SCHEMA_STR;
    j->frozen = false;
    j->cutting = false;
    j->len = len;
    j->dst = dst;
    j->room = (size_t)(avitoi_fast_top(r) - dst) - 1u;
    r->p = stop;
    return avitoi_fast_leave(r, AVITOI_JSON_AT_STRING);
}

/* A text must not be longer than what is kept of it. A TYPE is compared with that of its row. */
static AVITOI_INLINE bool avitoi_fast_is_fine(struct avitoi_fast *r, const avito_str *s)
{
    if (r->row->kind == AVITOI_SCHEMA_TEXT) {
        return r->j->cut_at == 0 || s->len <= r->j->cut_at;
    }
    r->f->type = avitoi_schema_match_type(r->row->child, *s);
    return true;
}

/* A string that is kept: straight to the low end. The id of a list's element is also noted for errors. */
static AVITOI_INLINE unsigned avitoi_fast_string(struct avitoi_fast *r)
{
    const char *stop, *p = r->p + 1;
    avito_str s;
    if (*r->p != '"') {
        return avitoi_fast_null(r);
    }
    s.ptr = r->low;
    p = (p > r->near || avitoi_text_byte(*p) >= 0x80)
            ? avitoi_fast_decode_rest(p, avitoi_fast_end(r), r->low, r->low, avitoi_fast_top(r), &s.len,
                                      &stop)
            : avitoi_fast_decode(r, p, r->low, &s.len, &stop);
    if (p == NULL) {
        return avitoi_fast_cut(r, s.len, stop);
    }
    if (r->row->kind != AVITOI_SCHEMA_STR && !avitoi_fast_is_fine(r, &s)) {
        return avitoi_fast_undo(r);
    }
    r->p = p;
    r->low += s.len + 1u;
    avitoi_fast_store(r, &s, sizeof s);
    if (r->bit == 1u && r->j->level == 3 && r->j->list != NULL) {
        r->j->id = s;
    }
    return avitoi_fast_taken(r);
}

/* A whole number of up to 18 digits, eight of them at a time. Whatever else a number may look like is
 * left to the machine. */
static AVITOI_INLINE unsigned avitoi_fast_int(struct avitoi_fast *r)
{
    const char *const first = r->p + (*r->p == '-' ? 1 : 0);
    const char *p = first;
    uint64_t value;
    if (r->p > r->near) {
        return avitoi_fast_undo(r);
    }
    p += avitoi_fast_eight(p, &value);
    if (p == first) {
        return avitoi_fast_null(r);
    }
    if (p == first + 8) {
        for (; avitoi_number_is_digit(*p) && p - first < 18; p++) {
            value = value * 10u + (avitoi_text_byte(*p) - (unsigned)'0');
        }
    }
    if ((*first == '0' && p > first + 1) || !avitoi_fast_ends_number(*p)) {
        return avitoi_fast_undo(r);
    }
    value = (first != r->p) ? 0u - value : value;
    r->p = p;
    avitoi_fast_store(r, &value, sizeof value);
    return avitoi_fast_taken(r);
}

static AVITOI_INLINE unsigned avitoi_fast_bool(struct avitoi_fast *r)
{
    const bool yes = *r->p == 't';
    const bool two[2] = {yes, true};
    if (!(yes ? memcmp(r->p, "true", 4) == 0 : memcmp(r->p, "false", 5) == 0)) {
        return avitoi_fast_null(r);
    }
    if (r->j->list != NULL && r->j->level == 2) {
        r->j->more = yes ? 1 : -1;
    }
    r->p += yes ? 4 : 5;
    avitoi_fast_store(r, two, sizeof two);
    return avitoi_fast_taken(r);
}

#define AVITOI_FAST_E7_WHOLE_MAX 213u /* degrees that fit with any fraction: INT32_MAX is 214.7 degrees */

/* Units of 1e-7. NULL: an exponent, more than seven places, or out of range. AVITOI_FAST_AHEAD bytes can be
 * read here, and no number that is taken has as many. */
AVITOI_APART static const char *avitoi_fast_read_e7(const char *p, const char *end, int32_t *e7)
{
    const bool negative = *p == '-';
    uint64_t whole, fraction = 0;
    uint32_t value;
    ptrdiff_t places = 0;
    const char *const point = avitoi_fast_whole(p + (negative ? 1 : 0), end, &whole);
    if (point == NULL || point - p > 4 || whole > AVITOI_FAST_E7_WHOLE_MAX) {
        return NULL;
    }
    p = point;
    if (*p == '.') {
        p = avitoi_fast_digits(point + 1, end, &fraction);
        places = p - point - 1;
    }
    if (places > 7 || (places == 0 && p > point) || !avitoi_fast_ends_number(*p)) {
        return NULL;
    }
    for (value = (uint32_t)fraction; places < 7; places++) {
        value *= 10u;
    }
    value += (uint32_t)whole * 10000000u;
    *e7 = negative ? -(int32_t)value : (int32_t)value;
    return p;
}

static AVITOI_INLINE unsigned avitoi_fast_e7(struct avitoi_fast *r)
{
    int32_t e7;
    const char *const after =
        (*r->p == 'n') ? NULL : avitoi_fast_read_e7(r->p, avitoi_fast_end(r), &e7);
    if (after == NULL) {
        return avitoi_fast_null(r);
    }
    r->p = after;
    avitoi_fast_store(r, &e7, sizeof e7);
    return avitoi_fast_taken(r);
}

#endif

/* ======================================================================= *
 * >>46 SPEED: OBJECTS AND LISTS
 * ======================================================================= *
 *
 * Twins of what the core does byte by byte: each takes what is plain and there as a whole, and leaves the
 * rest to the core. What they take they take exactly as the core would, they raise no error, and what they
 * do not understand they do not touch. AVITO_WITH_SHORTCUTS 0 leaves the chapter empty.
 *
 * Comes in: the short way's place. Goes out: the place after what it took. May not take what it does not
 * understand.
 */

#if AVITO_WITH_SHORTCUTS

/* ---- objects and lists ---- */

/* Before another frame comes on top. */
static AVITOI_INLINE void avitoi_fast_push(struct avitoi_fast *r, unsigned kind)
{
    struct avitoi_json *j = r->j;
    const uint32_t bit = 1u << j->depth;
    r->f->seen = r->seen;
    r->f++;
    r->f->kind = (uint8_t)kind;
    r->f->schema = r->schema;
    r->f->field = AVITOI_JSON_NO_FIELD | AVITOI_JSON_LAST_FIELD;
    r->f->type = AVITOI_SCHEMA_TYPE_UNKNOWN;
    r->seen = 0;
    avitoi_fast_expect(r, 0);
    j->level++;
    j->is_object = (kind == AVITOI_SCHEMA_ARR) ? j->is_object & ~bit : j->is_object | bit;
    j->depth++;
    r->p++;
}

/* The frame below comes on top. */
static AVITOI_INLINE void avitoi_fast_pop(struct avitoi_fast *r)
{
    r->j->level--;
    r->j->depth--;
    r->f--;
    r->schema = r->f->schema;
    r->seen = r->f->seen;
    r->p++;
}

/* The row that is being read gets a frame on top. */
static AVITOI_INLINE void avitoi_fast_begin(struct avitoi_fast *r)
{
    r->seen |= r->bit;
    r->f->field = (uint8_t)(r->row - avitoi_schema_fields(r->schema));
    r->schema = r->row->child;
}

/* At the brace of an object whose struct is r->model. */
static AVITOI_INLINE unsigned avitoi_fast_open(struct avitoi_fast *r, bool high)
{
    memset(r->model, 0, r->schema->size);
    avitoi_fast_push(r, AVITOI_SCHEMA_OBJ);
    r->f->high = high;
    r->f->at.model = r->model;
    r->p = avitoi_fast_blanks(r->p, r->near);
    return (r->p <= r->near && *r->p == '"') ? (unsigned)AVITOI_FAST_MEMBER
                                             : avitoi_fast_leave(r, AVITOI_JSON_AT_KEY_OR_END);
}

static AVITOI_INLINE unsigned avitoi_fast_object(struct avitoi_fast *r)
{
    const size_t size = r->row->child->size;
    char *const at = avitoi_fast_aligned(r);
    if (*r->p != '{') {
        return avitoi_fast_null(r);
    }
    if (!avitoi_fast_fits(r, at, size)) {
        return avitoi_fast_undo(r);
    }
    avitoi_fast_begin(r);
    r->model = at;
    r->low = at + size;
    return avitoi_fast_open(r, false);
}

/* An element of a list of objects, which is made at the high end. The machine's state is set. */
static AVITOI_INLINE unsigned avitoi_fast_element(struct avitoi_fast *r)
{
    const size_t size = avitoi_arena_align(r->schema->size);
    if (r->p > r->near || *r->p != '{' || !avitoi_fast_fits(r, r->low, size)) {
        return AVITOI_FAST_LEAVE;
    }
    r->lim -= size;
    r->model = avitoi_fast_top(r);
    return avitoi_fast_open(r, true);
}

/* After the bracket of a list of objects, or the brace of a map. */
static AVITOI_INLINE unsigned avitoi_fast_list_begins(struct avitoi_fast *r, unsigned kind)
{
    const bool map = kind == AVITOI_SCHEMA_MAP;
    r->p = avitoi_fast_blanks(r->p, r->near);
    r->j->state = map ? AVITOI_JSON_AT_KEY_OR_END : AVITOI_JSON_AT_VALUE_OR_END;
    if (r->p > r->near) {
        return AVITOI_FAST_LEAVE;
    }
    if (*r->p == (map ? '}' : ']')) {
        return AVITOI_FAST_LIST_END;
    }
    return !map ? AVITOI_FAST_ELEMENT : *r->p == '"' ? AVITOI_FAST_PAIR : AVITOI_FAST_LEAVE;
}

/* A list of objects, or a map of strings. Of the list that streams the machine makes the frame. */
static AVITOI_INLINE unsigned avitoi_fast_list(struct avitoi_fast *r)
{
    const unsigned kind = r->row->kind;
    if (*r->p != (kind == AVITOI_SCHEMA_ARR ? '[' : '{')) {
        return avitoi_fast_null(r);
    }
    if ((r->j->list != NULL && r->j->level == 1) ||
        (kind == AVITOI_SCHEMA_MAP && r->row->child != &avitoi_schema_pair.schema)) {
        return avitoi_fast_undo(r);
    }
    avitoi_fast_begin(r);
    avitoi_fast_push(r, kind);
    r->f->at.high_before = (size_t)(r->j->mem.high_end - avitoi_fast_top(r));
    return avitoi_fast_list_begins(r, kind);
}

/* At the last character of a list: its elements move to the low end, and its parent gets them. A list
 * that is the whole answer is ended by the machine. */
static AVITOI_INLINE unsigned avitoi_fast_list_end(struct avitoi_fast *r)
{
    const size_t size = r->schema->size;
    char *const at = avitoi_fast_aligned(r);
    char *const high = r->j->mem.high_end - r->f->at.high_before;
    avito_str list;
    list.ptr = (r->seen > 0) ? at : NULL;
    list.len = r->seen;
    if (r->j->depth == 1 || !avitoi_fast_fits(r, at, r->seen * size)) {
        return avitoi_fast_leave(r, AVITOI_JSON_AT_AFTER);
    }
    if (r->seen > 0) {
        r->low = at + r->seen * size;
        avitoi_json_reverse(at, high, r->seen, size);
        avitoi_fast_peak(r);
        r->lim = high - AVITOI_FAST_ROOM;
    }
    avitoi_fast_pop(r);
    r->model = r->f->at.model;
    avitoi_fast_expect(r, r->f->field);
    avitoi_fast_store(r, &list, sizeof list);
    return avitoi_fast_taken(r);
}

/* ---- maps of strings ---- */

/* From the key's end to the inside of the string that is the value; NULL: something else. */
static AVITOI_INLINE const char *avitoi_fast_colon(const struct avitoi_fast *r, const char *p)
{
    const char *const end = avitoi_fast_end(r);
    if (p == NULL || end - p < 2 || *p != ':') {
        return NULL;
    }
    p++;
    if (*p != '"') {
        p = avitoi_fast_blanks(p, end);
    }
    return (p == end || *p != '"') ? NULL : p + 1;
}

/* After a pair. */
static AVITOI_INLINE unsigned avitoi_fast_pair_ends(struct avitoi_fast *r)
{
    const char *const end = avitoi_fast_end(r);
    if (r->p <= r->near && avitoi_fast_text_two(r->p) == (',' | '"' << 8)) {
        r->p++;
        return AVITOI_FAST_PAIR;
    }
    r->p = avitoi_fast_blanks(r->p, end);
    if (r->p < end && *r->p == ',') {
        r->p = avitoi_fast_blanks(r->p + 1, end);
        return (r->p < end && *r->p == '"') ? (unsigned)AVITOI_FAST_PAIR
                                            : avitoi_fast_leave(r, AVITOI_JSON_AT_KEY);
    }
    return (r->p < end && *r->p == '}') ? (unsigned)AVITOI_FAST_LIST_END
                                        : avitoi_fast_leave(r, AVITOI_JSON_AT_AFTER);
}

/* A member of a map: its key and its string one after the other at the low end, the pair at the high end. */
static AVITOI_INLINE unsigned avitoi_fast_pair(struct avitoi_fast *r)
{
    char *const low = r->low, *const slot = avitoi_fast_top(r) - sizeof(avito_image_size);
    const char *stop, *p;
    avito_image_size pair;
    size_t used;
    r->start = r->p;
    pair.size.ptr = low;
    p = avitoi_fast_colon(r, avitoi_fast_decode(r, r->p + 1, low, &pair.size.len, &stop));
    if (p == NULL) {
        return avitoi_fast_undo(r);
    }
    used = pair.size.len + 1u;
    pair.url.ptr = low + used;
    p = avitoi_fast_decode(r, p, low + used, &pair.url.len, &stop);
    used += pair.url.len + 1u;
    if (p == NULL || low + used > slot) {
        return avitoi_fast_undo(r);
    }
    r->p = p;
    r->low = low + used;
    r->lim -= sizeof pair;
    memcpy(slot, &pair, sizeof pair);
    r->seen++;
    return avitoi_fast_pair_ends(r);
}

/* ---- members ---- */

/* The value of a known and wanted member, by the kind of its row. */
static AVITOI_INLINE unsigned avitoi_fast_value(struct avitoi_fast *r)
{
    const unsigned kind = r->row->kind;
    if (kind <= AVITOI_SCHEMA_TYPE) {
        return avitoi_fast_string(r);
    }
    if (kind == AVITOI_SCHEMA_INT) {
        return avitoi_fast_int(r);
    }
    if (r->p > r->near) {
        return avitoi_fast_undo(r);
    }
    switch (kind) {
        case AVITOI_SCHEMA_BOOL:
            return avitoi_fast_bool(r);
        case AVITOI_SCHEMA_E7:
            return avitoi_fast_e7(r);
        case AVITOI_SCHEMA_TYPED: /* what is kept of another type, be it null, the machine keeps */
            return r->f->type == AVITOI_SCHEMA_TYPE_RIGHT ? avitoi_fast_object(r)
                   : r->j->raw != NULL                    ? avitoi_fast_undo(r)
                                                          : avitoi_fast_null(r);
        case AVITOI_SCHEMA_OBJ:
            return avitoi_fast_object(r);
        case AVITOI_SCHEMA_ARR:
        case AVITOI_SCHEMA_MAP:
            return avitoi_fast_list(r);
        default:
            return avitoi_fast_null(r);
    }
}

/* A member whose value is only checked: its row is not wanted, or it has none. */
static AVITOI_INLINE unsigned avitoi_fast_skipped(struct avitoi_fast *r, const char *after)
{
    if (after == NULL) {
        return avitoi_fast_undo(r);
    }
    r->p = after;
    return AVITOI_FAST_AFTER;
}

/* One member, from its key's opening quote on. */
static AVITOI_INLINE unsigned avitoi_fast_member(struct avitoi_fast *r)
{
    const char *const end = avitoi_fast_end(r);
    r->start = r->p;
    if (!avitoi_fast_key(r)) {
        if (r->j->raw != NULL) {
            return avitoi_fast_undo(r);
        }
        return avitoi_fast_skipped(r, avitoi_fast_skip_member(r->p, end, r->j->depth));
    }
    if ((r->seen & r->bit) != 0) {
        return avitoi_fast_undo(r);
    }
    r->p += r->row->form_len + 1u;
    if (avitoi_text_byte(*r->p) <= ' ') {
        r->p = (*r->p == ' ' && avitoi_text_byte(r->p[1]) > ' ') ? r->p + 1
                                                                 : avitoi_fast_blanks(r->p, end);
        if (r->p == end) {
            return avitoi_fast_undo(r);
        }
    }
    if ((r->row->want & r->j->want) == 0) {
        const unsigned at = avitoi_fast_skipped(r, avitoi_fast_skip_any(r->p, end, r->j->depth));
        return at == AVITOI_FAST_AFTER ? avitoi_fast_taken(r) : at;
    }
    return avitoi_fast_value(r);
}

/* The element of the list that streams is complete. */
static AVITOI_INLINE unsigned avitoi_fast_give(struct avitoi_fast *r)
{
    struct avitoi_json *j = r->j;
    memcpy(j->out, r->model, r->schema->size);
    avitoi_fast_peak(r);
    r->lim += avitoi_arena_align(r->schema->size);
    avitoi_fast_pop(r);
    r->seen++;
    j->rows++;
    j->event = AVITOI_JSON_ELEMENT;
    return avitoi_fast_leave(r, AVITOI_JSON_AT_AFTER);
}

/* An element of another list is complete: it stays where it is. */
static AVITOI_INLINE unsigned avitoi_fast_element_ends(struct avitoi_fast *r)
{
    r->seen++;
    if (r->p > r->near) {
        return avitoi_fast_leave(r, AVITOI_JSON_AT_AFTER);
    }
    r->p = avitoi_fast_blanks(r->p, r->near);
    if (*r->p == ']') {
        return AVITOI_FAST_LIST_END;
    }
    if (*r->p != ',') {
        return avitoi_fast_leave(r, AVITOI_JSON_AT_AFTER);
    }
    r->p = avitoi_fast_blanks(r->p + 1, r->near);
    r->j->state = AVITOI_JSON_AT_VALUE;
    return AVITOI_FAST_ELEMENT;
}

/* The object on top is complete: its container gets it. */
static AVITOI_INLINE unsigned avitoi_fast_close(struct avitoi_fast *r)
{
    char *const model = r->model;
    avitoi_schema_complete(r->schema, r->j, model);
    if (r->j->list != NULL && r->j->level == 3) {
        return avitoi_fast_give(r);
    }
    avitoi_fast_pop(r);
    if (r->f->kind != AVITOI_SCHEMA_OBJ) {
        return avitoi_fast_element_ends(r);
    }
    avitoi_fast_expect(r, r->f->field);
    r->model = r->f->at.model;
    avitoi_fast_store(r, &model, sizeof model);
    return avitoi_fast_taken(r);
}

/* Does the machine close the object on top? It closes the root, objects outside the list that streams,
 * and the list's elements if they are collected or remembered. */
static AVITOI_INLINE bool avitoi_fast_is_closed_slowly(const struct avitoi_fast *r)
{
    const struct avitoi_json *j = r->j;
    return j->level <= (j->list == NULL ? 1u : (j->collect || j->list->history > 0) ? 3u : 2u);
}

/* After a member, where something unusual follows. */
static AVITOI_INLINE unsigned avitoi_fast_after_blanks(struct avitoi_fast *r)
{
    const char *const end = avitoi_fast_end(r);
    r->p = avitoi_fast_blanks(r->p, end);
    if (r->p < end && *r->p == ',') {
        r->p = avitoi_fast_blanks(r->p + 1, end);
        return (r->p <= r->near && *r->p == '"') ? (unsigned)AVITOI_FAST_MEMBER
                                                 : avitoi_fast_between(r, AVITOI_JSON_AT_KEY);
    }
    if (r->p == end || *r->p != '}' || avitoi_fast_is_closed_slowly(r)) {
        return avitoi_fast_between(r, AVITOI_JSON_AT_AFTER);
    }
    return avitoi_fast_close(r);
}

/* After a member; usually another one comes at once, or the object ends. */
static AVITOI_INLINE unsigned avitoi_fast_after(struct avitoi_fast *r)
{
    if (r->p < r->near && avitoi_fast_text_two(r->p) == (',' | '"' << 8)) {
        r->p++;
        return AVITOI_FAST_MEMBER;
    }
    if (r->p < r->near && *r->p == '}' && !avitoi_fast_is_closed_slowly(r)) {
        return avitoi_fast_close(r);
    }
    if (r->p + 1 < r->near && avitoi_fast_text_two(r->p) == (',' | ' ' << 8) && r->p[2] == '"') {
        r->p += 2;
        return AVITOI_FAST_MEMBER;
    }
    return avitoi_fast_after_blanks(r);
}

/* ---- beginning and end of the run ---- */

/* After the comma after an element of the list that streams. False: the machine goes on. An element begins
 * once, so what may fail is checked before. */
static AVITOI_INLINE bool avitoi_fast_next_element(struct avitoi_fast *r)
{
    struct avitoi_json *j = r->j;
    r->low = j->mem.low_base + j->element_low;
    if (j->list == NULL || j->level != 2 || r->f->kind != AVITOI_SCHEMA_ARR || j->collect ||
        *r->p != '{' || r->p > r->near ||
        !avitoi_fast_fits(r, r->low, avitoi_arena_align(r->schema->size))) {
        return false;
    }
    avitoi_json_element_begins(j);
    j->state = AVITOI_JSON_AT_VALUE;
    return true;
}

/* Where the run begins, if it does. */
static AVITOI_INLINE unsigned avitoi_fast_starts(struct avitoi_fast *r)
{
    if (*r->p == ',') {
        r->p = avitoi_fast_blanks(r->p + 1, r->near);
        if (r->f->kind == AVITOI_SCHEMA_OBJ) {
            return (r->p <= r->near && *r->p == '"') ? AVITOI_FAST_MEMBER : AVITOI_FAST_LEAVE;
        }
        return avitoi_fast_next_element(r) ? AVITOI_FAST_ELEMENT : AVITOI_FAST_LEAVE;
    }
    if (r->f->kind == AVITOI_SCHEMA_OBJ) {
        return AVITOI_FAST_MEMBER;
    }
    /* A map. Those that stream have other pairs. */
    return r->schema == &avitoi_schema_pair.schema ? AVITOI_FAST_PAIR : AVITOI_FAST_LEAVE;
}

static AVITOI_INLINE void avitoi_fast_load(struct avitoi_fast *r, struct avitoi_json *j,
                                           const char *p, const char *end)
{
    struct avitoi_json_frame *f = j->top;
    r->j = j;
    r->f = f;
    r->schema = f->schema;
    r->model = (f->kind == AVITOI_SCHEMA_OBJ) ? f->at.model : NULL;
    r->seen = f->seen;
    avitoi_fast_expect(r, (f->kind == AVITOI_SCHEMA_OBJ) ? (f->field + 1u) & AVITOI_JSON_LAST_FIELD
                                                         : 0u);
    r->p = p;
    r->near = end - AVITOI_FAST_AHEAD;
    r->start = p;
    r->low = j->mem.low_base + j->mem.low;
    r->lim = j->mem.high_end - j->mem.high - AVITOI_FAST_ROOM;
}

static AVITOI_INLINE const char *avitoi_fast_save(struct avitoi_fast *r)
{
    struct avitoi_arena_ends *mem = &r->j->mem;
    r->f->seen = r->seen;
    r->j->top = r->f;
    mem->low = (size_t)(r->low - mem->low_base);
    mem->high = (size_t)(mem->high_end - avitoi_fast_top(r));
    (void)avitoi_json_fits(r->j);
    return r->p;
}

/* At a quote where a member may begin, or at a comma: takes as many members as go the short way, and the
 * objects and lists that begin and end among them. At least AVITOI_FAST_AHEAD bytes are there. Written as
 * a chain that comes back to the member, not as a switch, because compilers then see that a member
 * usually follows another. */
static const char *avitoi_fast_run(struct avitoi_json *j, const char *p, const char *end)
{
    struct avitoi_fast r;
    unsigned at;
    if (j->measuring || j->lenient || j->mem.high_end != j->mem.low_base + j->mem.low_cap) {
        return p;
    }
    avitoi_fast_load(&r, j, p, end);
    at = avitoi_fast_starts(&r);
    if (at == AVITOI_FAST_LEAVE) {
        return p;
    }
    for (;;) {
        if (at == AVITOI_FAST_MEMBER) {
            at = avitoi_fast_member(&r);
        }
        if (at == AVITOI_FAST_AFTER) {
            at = avitoi_fast_after(&r);
        } else if (at == AVITOI_FAST_PAIR) {
            at = avitoi_fast_pair(&r);
        } else if (at == AVITOI_FAST_LIST_END) {
            at = avitoi_fast_list_end(&r);
        } else if (at == AVITOI_FAST_ELEMENT) {
            at = avitoi_fast_element(&r);
        } else if (at == AVITOI_FAST_LEAVE) {
            return avitoi_fast_save(&r);
        }
    }
}

/* The last bytes of the window, from a copy. */
AVITOI_APART static const char *avitoi_fast_tail(struct avitoi_json *j, const char *p,
                                                 const char *end)
{
    char tail[AVITOI_FAST_TAIL];
    const size_t n = (size_t)(end - p);
    memcpy(tail, p, n);
    memset(tail + n, 0xff, AVITOI_FAST_AHEAD);
    return p + (avitoi_fast_run(j, tail, tail + n + AVITOI_FAST_AHEAD) - tail);
}

/* At a quote where a member may begin, or at a comma after a value. Returns how far it came. */
static const char *avitoi_fast_way(struct avitoi_json *j, const char *p, const char *end)
{
    if (j->skip > 0) {
        return avitoi_fast_skip_members(j, p, end);
    }
    if (end - p >= AVITOI_FAST_AHEAD) {
        p = avitoi_fast_run(j, p, end);
    }
    if (p < end && end - p <= AVITOI_FAST_TAIL - AVITOI_FAST_AHEAD && *p == '"' &&
        (j->state == AVITOI_JSON_AT_KEY || j->state == AVITOI_JSON_AT_KEY_OR_END)) {
        p = avitoi_fast_tail(j, p, end);
    }
    return p;
}
#endif

#endif /* AVITO_MESSENGER_IMPLEMENTATION: end of the core */

/*
 * MANUAL OF THE PARTS: what a program may leave out.
 *
 * ======================================================================= *
 * >>47 PORTING
 * ======================================================================= *
 *
 * The transport by what you have:
 *
 *   POSIX    avito_tcp (>>59). With -std=c99 define _POSIX_C_SOURCE 200809L before the first
 *            #include.
 *   ESP-IDF  avito_tcp too, over lwIP's sockets; avito_esp.h of examples/transports has random
 *            bytes and a store in NVS, avito_mbedtls.h TLS.
 *   lwIP     examples/firmware/link_lwip.c: raw API, no OS; whatever lwIP has to do is done in a
 *            poll that each function calls first. recv copies from the pbuf chain and calls
 *            tcp_recved() for what it took.
 *   UART     examples/firmware/link_uart.c. With AT commands, connect is a small state machine that
 *            dials and returns AVITO_AGAIN; "NO CARRIER" is AVITO_IO_CLOSED. Use flow control: a
 *            lost byte shows as TLS, detail 7 (BR_ERR_BAD_MAC).
 *   FreeRTOS examples/transports/avito_freertos.h, for FreeRTOS-Plus-TCP. -ENOSPC is "later"; the
 *            end and a reset are both -ENOTCONN; a select calls a socket writable before it is
 *            connected.
 *   Zephyr   examples/transports/avito_zephyr.h, with a store in NVS. ENOBUFS and ENOMEM are
 *            "later", and what the packet pool can never hold is offered in halves.
 *   RIOT     examples/transports/avito_riot.h, for sock_tcp, which has no poll: wait() reads ahead.
 *   Arduino  examples/transports/arduino: any Client. It is asked available() before each read, and
 *            again after connected(), which some cores answer with bytes left.
 *   flash    examples/transports/avito_flash.h keeps tokens and the inbox where no file system is.
 *   TLS      another library: examples/transports/avito_mbedtls.h, avito_openssl.h. For one more:
 *            check name and chain, offer ALPN http/1.1 only, report an end without close_notify as
 *            AVITO_ERR_CLOSED and not as AVITO_IO_CLOSED, and hand over what the library has
 *            buffered before you say AVITO_IO_AGAIN.
 *   no libc  provide memchr, memcmp, memcpy, memmove, memset, strchr, strcspn, strlen.
 *
 * Test it with what real networks do: one byte at a time in either direction, AVITO_IO_AGAIN
 * between any two, connect that says AGAIN many times, an end in the middle of each part of an
 * answer, an answer while you still send, close in every state and then connect again, two connects
 * without an answer. tests/support/script.h is a transport that does all this to the client;
 * tests/tls/ does it to TLS and TCP.
 *
 * ======================================================================= *
 * >>48 TLS
 * ======================================================================= *
 *
 * avito_tls is BearSSL 0.6 as a transport, over any transport. What it insists on,
 * whatever .configure chooses:
 *
 *   * TLS 1.2, no renegotiation, ALPN "http/1.1" if the server speaks ALPN. Six suites: ECDHE with
 *     AES-128-GCM, AES-256-GCM or ChaCha20-Poly1305, signed by RSA or ECDSA. No RSA key exchange,
 *     no CBC, no SHA-1.
 *   * Checked: each signature up to one of your anchors, the validity period of each certificate
 *     that the server sends, the name (subjectAltName only; "*." means one label, in front),
 *     CA and path length of intermediates, key usage; RSA of 2048 to 4096 bits, SHA-256 or better;
 *     and what BearSSL leaves out: version 3, no extension twice, extended key usage, no CA as
 *     server, at most eight.
 *   * An extension that BearSSL does not know and that is critical is refused; so are name
 *     constraints.
 *   * The server has to send its certificates in order, each one followed by its issuer, as TLS 1.2
 *     demands (RFC 5246, 7.4.2): else TLS_TRUST. What follows after one that an anchor signed does
 *     not matter. RSA keys over 4096 bits: TLS_CERT (BearSSL has no room for them).
 *   * An anchor is a name and a key, nothing else: it is trusted for as long as you give it, also
 *     after its own last day, and constraints of its own are not seen. To end that trust, take it
 *     out. (Clocks of devices run wrong more often than roots are misused after their end.)
 *   * Not checked: revocation (no CRL, no OCSP, no stapling), certificate transparency, DANE.
 *     Pinning is giving only the anchors you mean. Numeric hosts are refused: a certificate is for
 *     a name.
 *   * A connection that ends without close_notify is an error, unless the length of the answer was
 *     known and met.
 *
 * Anchors: the roots that sign api.avito.ru, as C arrays in flash (make anchors; build/anchors
 * ROOTS.pem >roots.c; compiled as C, it gives extern const br_x509_trust_anchor roots[] and size_t
 * roots_count), or read at run time from PEM in pieces (avito_anchors_*). Two roots are better than
 * one: a service changes its issuer without asking. Clock: a date before 2020 is
 * OPTION_TIME before a byte is sent; a device without a battery clock must first ask (its modem,
 * SNTP). Nothing falls back to the time of compilation. Entropy: 32 bytes per connection from
 * .entropy; if it fails or gives only zeros, OPTION_ENTROPY. A constant or a serial number there
 * gives every connection away.
 *
 * Buffers: records are decrypted in place, so the buffer has to hold the largest record of the
 * server. Asking for 512 to 4096 costs nothing, but many servers ignore it and send 16 KB: then
 * TLS_ROOM, with the size of the record in error.detail. Half duplex is enough: HTTP/1.1 as used
 * here speaks in turns.
 *
 * Memory: of avito_tls, the check of certificates takes 3 KB that nothing needs between handshakes;
 * on a small board they can be the arena: avito_tls_arena(). Any call may have to open the
 * connection again, also in its middle: after the request for a token, after a refused token, for a
 * retry. None of these has anything in the arena yet, so the handshake may have it. If something is
 * in it, the connect fails with BUSY before a byte is sent, and nothing is lost. It may be results
 * of earlier calls, if you did not reset it; the pages before, where a list with .all_pages goes on
 * to its next page; a call of another lane. So reset it before each call, and copy what you keep.
 *
 * Sessions: the last one is kept in avito_tls and tried at the next connect to the same host and
 * port with the same anchors, for a day; any failure drops it. It saves the certificates and the
 * long arithmetic. avito_tls_get_session() takes it across a reboot: it is a key.
 *
 * A server that has switched TLS 1.2 off cannot be reached by BearSSL: TLS (-311), detail 0x100 +
 * 70 = 326, the alert protocol_version; or it just hangs up, as a line that breaks does: CLOSED,
 * detail 31 (BR_ERR_IO). Then bring another TLS library as the transport. Watchdog:
 * a handshake takes long on a small core; .watchdog is called before and after each piece of it,
 * AVITO_TLS_WATCHED_EC and _RSA (>>60) between single multiplications. `make firmware` prints the
 * longest single step of each board. TLS_STALL: over 64 KB of handshake, or more than 32 records in
 * a row without data.
 *
 * ======================================================================= *
 * >>49 STORED TOKENS, RATE, RETRIES
 * ======================================================================= *
 *
 * Stored tokens. Two hooks of the account:
 *
 *   load_token   asked when the first token is needed, until it has answered; copied; expires_at
 *                counts if there is unix_time. Asked again before each renewal: a token that
 *                another program has stored meanwhile is used instead, if its expires_at is far
 *                enough away
 *   save_token   called with each new token before it is used. The refresh token changes with every
 *                use and the old one is spent (official guide): store it durably before you return
 *                AVITO_OK. After an error from you the call ends in HOOK, and the token waits: each
 *                further call hands it to you again, without type and scope, before anything is
 *                sent.
 *
 * If a refresh left and neither a pair nor a refusal came, the refresh token may be spent:
 * avito_account_refresh_in_doubt(). The next renewal uses it all the same. If it was spent, that
 * ends in REFRESH_TOKEN, and a person has to authorize again (avito_authorize_url(),
 * avito_exchange_code()). A refresh token is good for a year, an access token for a day (official
 * guide; expires_in is what counts).
 *
 * Whose account. Without a refresh token an account uses its client credentials, which open the
 * account of the application's owner. Where another person's is meant, say so with
 * avito_account_by_consent(): then a refresh token that is gone is an error, REFRESH_TOKEN, and
 * never another account.
 *
 * Rate. The service names no limit for these calls; polling every two seconds is in use without
 * complaint (seen). .requests_per_minute spaces all requests of the account evenly. A 429 with
 * Retry-After closes the account's gate for all lanes for that long (seconds or a date; at most a
 * day); X-RateLimit-Remaining: 0 closes it for one request's share of X-RateLimit-Limit. (None of
 * these headers was recorded with these calls so far.) Waiting lanes want AVITO_WANT_TIMER. A call
 * that the gate cannot let through within its total_timeout_ms ends in RATE at once, with the
 * remaining wait in error.retry_after_s. avito_account_open_gate() opens it.
 *
 * Retries. With .retries 0 nothing is retried. Otherwise a call begins again after 429, 5xx,
 * -301..-307, -401..-412 and EMPTY: at most that many times, within total_timeout_ms, after the
 * pause that the server asked for, or after 1, 2, 4 .. 60 s, less a random part of up to a half.
 * Reads are retried unless rows of the list were given already. Calls that change something are
 * retried only when the outcome is AVITO_NOT_SENT. A call with a code or a refresh token may find
 * it spent the second time: keep .retries 0 on the lane that authorizes.
 *
 * ======================================================================= *
 * >>50 WEBHOOKS
 * ======================================================================= *
 *
 * The service POSTs one event per request to your https URL, as JSON:
 * {"id","version","timestamp","payload":{"type", "value"}}; payload.type was only ever "message"
 * (s). It waits two seconds (d) and delivers again what was answered late (s); how often, and when
 * it gives up, is not known. So: acknowledge first, work later.
 *
 *   avito_webhook_*        the receiving side without I/O (>>57): feed it bytes, send what it
 *                          gives; strict HTTP/1.1, the secret in the path compared in constant
 *                          time, deadlines for slow senders. Made for use behind a proxy that ends
 *                          TLS: examples/12_webhook_server.c.
 *   avito_parse_webhook()  a body into avito_event. AVITO_END: {}, which the description recommends
 *                          as a test of reachability: answer 200. A payload of another type:
 *                          AVITO_OK with message NULL. A message without an envelope, or whose
 *                          payload has no type, is read all the same.
 *
 *   avito_parse_webhook_raw()  the same, and keeps what no model knows as it came (AVITO_RAW): a
 *                          content of a new kind, the value of a payload of another type.
 *
 * avito_json_* (>>61) reads that by key, in tokens of your memory::
 *
 *     char tokens[AVITO_JSON_TOKENS_SIZE(64)];
 *     avito_json json;
 *     avito_json_value sticker;
 *     int64_t pack = 0;
 *     const avito_str raw = event.message->content.as.raw; // {"sticker":{"pack_id":7}}
 *     result = avito_json_parse(&json, raw.ptr, raw.len, tokens, sizeof tokens);
 *     if (result == AVITO_OK) {
 *         sticker = avito_json_get(avito_json_root(&json), "sticker");
 *         result = avito_json_int(avito_json_get(sticker, "pack_id"), &pack);
 *     }
 *
 * Drop repeats by message->id, not by the envelope's id: each delivery may have another (a). Order
 * is not promised. The account's own messages come too, also those written in the app (s): is_own.
 * One URL may serve many accounts: message->user_id says whose it is (d).
 *
 * The header X-Avito-Messenger-Signature is there on live deliveries (s), with 64 hex digits (one
 * report); key and algorithm are published nowhere, and no public code verifies it. The receiver
 * hands body and header to .verify if you find out. Until then a long random path is the
 * authentication: 32 hex digits or more, kept out of logs.
 *
 * avito_message_preview() and avito_message_json() (>>62) show a message to a person or a program.
 *
 * A 200 cannot be taken back. If a crash between the 200 and your store must not lose the message,
 * let the inbox poll as well, and use the notification as a doorbell (avito_inbox_doorbell(): no
 * room, nothing to parse).
 *
 * ======================================================================= *
 * >>51 INBOX: HOW IT WORKS
 * ======================================================================= *
 *
 * The inbox (>>58) gives every new message of an account once, from polls and notifications alike.
 *
 *   Promise. Every message that the API shows within the reachable rows is handed over at least
 *   once; exactly once, if no crash falls between hand-over and the durable save, and at most as
 *   many ids as the ring holds lie within the overlap. Beyond that it says so (AVITO_INBOX_OVERRUN)
 *   and may repeat, but never loses silently.
 *
 * The order is accept, save, then mark as read: avito_inbox_next() gives a message, again and
 * again, until avito_inbox_accept() has written the state through your save(). Only a chat without
 * unaccepted messages is marked, and none in a round with an overrun. A mark that fails is retried
 * once. One that a power cut prevented, or that is owed for a notification, is made up for.
 * Messages of a chat come oldest first. Of the chats of a page, the one updated least recently
 * comes first.
 *
 * How it works. A round reads the first page of chats and queues those that are due. A chat is due
 * when its row has changed since the last look, and once more overlap_s later, for its late look:
 * by then nothing in it can be late any more. The round reads each of these
 * chats, keeps the new messages in the arena, and hands them over. A whole round goes on to the end
 * of the list. Rounds are whole at the start, every sweep_ms twice in a row, and when something was
 * left out, rows moved up between two pages, or the ring is three quarters full.
 *
 *         PAGE          OVER          CHAT          KEPT          HAND
 *     WAIT -----> SCAN ------> NEXT ------> READ ------> GIVE ------> HANDED
 *      ^           ^            | ^          ^            | ^            |
 *      |           |    PAGE    | |          |    CHAT    | |    KEPT    |
 *      |           +------------+ |          +------------+ +------------+
 *      |                  | OVER  |          |            |
 *      |  REST            |       +----------|------------+ MARK
 *      +------------------+                  +--- MARK <--+
 *                                             CHAT
 *
 * This table is the code's (AVITOI_INBOX_EDGES, >>76); `make manual-check` compares.
 *
 *     phase    PAGE OVER CHAT KEPT HAND   OFFER   MARK REST
 *     WAIT     SCAN NEXT READ .    .      OFFERED .    WAIT
 *     SCAN     SCAN NEXT .    .    .      .       .    WAIT
 *     NEXT     SCAN .    READ .    .      .       .    WAIT
 *     READ     .    .    READ GIVE .      .       .    WAIT
 *     GIVE     .    NEXT READ .    HANDED .       MARK WAIT
 *     HANDED   .    .    .    GIVE .      .       .    .
 *     OFFERED  .    .    .    .    .      .       .    WAIT
 *     MARK     .    .    READ .    .      .       MARK WAIT
 *
 *   WAIT     For the next round, or for poll_ms to pass after a failure. Then the round goes on
 *            where it was: with the list of chats, the chat that failed (READ), or the next (NEXT).
 *   SCAN     Reads a page of chats, and queues the ids of those that are due in the arena.
 *   NEXT     No request: the next chat of the queue, the next page, or the end of the round.
 *   READ     Reads messages of one chat: from the newest down to the horizon, or to what was
 *            accepted last; or some rows that end at a known one. The oldest new ones are kept.
 *   GIVE     No request: hands over what is kept; else reads on; else the chat is done.
 *   HANDED   A message, or the error of one, is yours. OFFERED: the same of a notification.
 *   MARK     Marks the chat, and reads it once more: what came in between now counts as read, too.
 *
 * No order, no clock. The order of rows only lets polls stop early. It is believed that no row of
 * a page is missing. The horizon is the time before which nothing is looked for. It moves when
 * two whole rounds lacked nothing: to the Date at the beginning of the first of them, less
 * overlap_s, and not past a chat that waits for its late look. Of the last two answers the smaller
 * Date counts, so that one wrong digit on a line without TLS moves nothing. Rows that do not
 * change, are foreign, or out of order cost requests and time, up to sweep_ms, but no message. A
 * time more than 300 seconds ahead of the Date, or beyond 32 bits (milliseconds), is not believed.
 * Such a message is read twice and given once. Its id stays in the ring as long as there is an
 * older one that the horizon has passed. If there is none, it makes room for others, and the
 * message may come again (AVITO_INBOX_OVERRUN). A stored horizon ahead of the Date goes back
 * (AVITO_INBOX_TIME). A row without an id or a time is reported once, with its id or that of its
 * chat, and skipped. Without Date in the answers there are no late looks: every chat within the
 * overlap is read in each round, and the newest message takes the place of the Date.
 *
 * Requests. A quiet poll costs one. What costs more:
 *
 *   * one for each chat that moved, or whose late look is due (at most 20 of those in a poll, the
 *     others wait);
 *   * one for each page of up to 100 chats, when more moved or the round is whole;
 *   * of a chat with more new messages than fit in the arena, one for each arena full and one for
 *     each 100 down to the oldest.
 *
 * .chats gives room for records of chats. A chat without a record is read in each round until the
 * horizon has passed it. `make bench` prints counts.
 *
 * Not covered: messages deleted before a round saw them; rows that the API does not let be reached
 * (AVITO_INBOX_UNREACHABLE); with .unread_only, messages that a person read in the app before a
 * round saw them; messages that show up later than overlap_s after the time in them; chats whose id
 * has over 67 bytes (they have 26, seen; UNREACHABLE says so). A message that does not fit the
 * arena, or breaks the model, twice in a row is reported with its id and then skipped;
 * error.needed is the arena in which it would have fitted. On a line without TLS a digit may change
 * on the way. What it hides is found by the next look at the chat. If it is in an id, the message
 * may come twice, once under a wrong one. If it makes an old message newer than the horizon, that
 * one may come again.
 *
 * AVITO_START_NOW gives nothing of what is there already. All of the list is read for its newest
 * time. What the first round finds from that second counts as known, with what arrives in it
 * meanwhile. In a chat whose time is missing or not believed, what was created before the Date
 * counts as known.
 *
 * Flash writes: one per message accepted or skipped, at most one more per round that had messages,
 * and one or two at the very first start. Each writes AVITO_INBOX_STATE_SIZE(ids) bytes into one of
 * two slots in turn; sequence number and CRC tell which is the newest whole one. save() must write
 * a slot whole or not at all. The state names its account, and another's is refused. Two programs
 * must not share it: hold a lock on it for as long as the inbox lives.
 *
 * Ring. Messages that are not older than the horizon are told apart by the ring of ids. Give it
 * room for what arrives within overlap_s and two sweeps; with less, whole rounds come as often as
 * the ring fills. When it overflows, the oldest id is forgotten: AVITO_INBOX_OVERRUN. More messages
 * in the newest second than it holds come again after poll_ms, then each slow_poll_ms until
 * overlap_s has passed.
 *
 * Failures. After an error the round goes on where it was, poll_ms later. A chat that fails twice
 * in a row is left out of the round: its messages stay pending, and the horizon stays where it is.
 * One that is refused by 403 or 404 is asked for again when it moves, or overlap_s later. If the
 * ring overflows then, messages come again, and the next round is slow_poll_ms later. When all
 * rounds of twenty minutes had to leave something out, the horizon moves on all the same
 * (AVITO_INBOX_UNREACHABLE); so it does at the end of AVITO_START_UNREAD's first round. Pages that
 * are empty where a row must be are read again eight times in a round. Then the list ends there:
 * newer messages may come before older ones, and the round has left something out.
 *
 * One call takes at most 64 steps (a row is one, a request four), and begins none after
 * total_timeout_ms, also on a lane that may wait; there it sleeps between rounds, for nap_ms at
 * most. Another thread ends that sleep through avito_tcp_options.wake_fd.
 *
 * ======================================================================= *
 * >>52 SENDING: SENT OR NOT
 * ======================================================================= *
 *
 * avito_send_message() ends in one of three outcomes (>>7).
 *
 *   Promise. Not sent = the transport never accepted the request's last byte, or the server
 *   answered with a status known to precede storing (400, 401, 402, 403, 404, 413, 429). Sent = a
 *   2xx that decodes. Everything else after the last byte = cannot tell. A write is never repeated
 *   after its last byte, except where the service has refused it. Before a write on an idle
 *   connection the end of the stream is looked for, and a connection idle for too long is reopened
 *   first.
 *
 * avito_confirm_sent() settles "cannot tell" by reading the chat back.
 *
 *   Promise. Yes = the account has an outgoing message with the same normalised text, newer than
 *   the baseline taken before sending and not claimed by another send; it says that the account
 *   sent it. No = the request was never completed, or nothing of the kind appears after the grace
 *   time (60 s) in rows that cover the period: down to the baseline, or to a row as old, or all
 *   rows of a chat that was empty. Otherwise cannot tell: ask again later.
 *
 * Normalised: blanks at both ends and every CR do not count (the service trims: assumption). Take
 * the baseline with avito_get_messages(.limit = 1) before you send. Keep the ids of your own sends
 * as .claimed, or two equal texts sent on purpose count as one. A person who types the same text in
 * the app looks like you: nothing can tell you apart. A text of the baseline's own second is newer
 * if it is above the baseline in the list, which takes a second look. Without the baseline that
 * cannot be told.
 *
 * avito_next_part() cuts long texts into parts that can be sent, at sensible borders, without a
 * copy; a text in parts is several messages, and each has its own outcome. .dry_run on a lane:
 * calls that change something send nothing and succeed; the path and body (without token; an
 * upload without body) go to error_body, clipped, and the outcome stays AVITO_NOT_SENT. Reads and
 * token requests still go out.
 */
#ifndef AVITO_MESSENGER_PARTS_H
#define AVITO_MESSENGER_PARTS_H

#ifdef __cplusplus
extern "C" {
#endif

/* ======================================================================= *
 * >>53 LISTS, ELEMENT BY ELEMENT
 * ======================================================================= *
 *
 * avito_list_*() starts, avito_next_*() gives the next element, decoded into `arena`, good until the
 * next one; AVITO_END when the list is over. The lane is busy until AVITO_END, an error that ends
 * the list, or avito_list_end(). An element that does not fit the arena is AVITO_ERR_ARENA with its
 * id in error.text and the size that would do in error.needed; one that breaks the model is
 * AVITO_ERR_MODEL or AVITO_ERR_DUPLICATE: after these three the list goes on, avito_list_open()
 * stays true.
 *
 * To answer in the middle of a list copy the ids, end the list, answer, and go on after that chat::
 *
 *     avito_list_end(&client, 16384);
 *     chats_query.offset = avito_list_offset(&client);
 *     result = avito_send_message(&client, user_id, chat_id, "Yes.", &arena, &message);
 *     result = avito_list_chats(&client, user_id, &chats_query, &arena);
 *
 * A chat that is answered goes to the top, past rows that were given; one that another message
 * moves there takes its place in front, too, and a row comes a second time.
 *
 * On a lane that may not wait, after AVITO_AGAIN, avito_next_*() again does what avito_step() does;
 * `out` of the last one counts. */
AVITO_API int avito_list_chats(avito_client *client, int64_t user_id,
                               const avito_chats_query *query, avito_arena *arena);
AVITO_API int avito_next_chat(avito_client *client, avito_chat *out);
AVITO_API int avito_list_messages(avito_client *client, int64_t user_id, const char *chat_id,
                                  const avito_messages_query *query, avito_arena *arena);
AVITO_API int avito_next_message(avito_client *client, avito_message *out);
AVITO_API int avito_list_voice_files(avito_client *client, int64_t user_id,
                                     const char *const *voice_ids, size_t count,
                                     avito_arena *arena);
AVITO_API int avito_next_voice_file(avito_client *client, avito_voice_file *out);
AVITO_API int avito_list_subscriptions(avito_client *client, avito_arena *arena);
AVITO_API int avito_next_subscription(avito_client *client, avito_subscription *out);

/* Ends a list early: reads and drops up to drain_max bytes to keep the connection, else closes it. If the
 * account's refresh token has just left, it waits for the new pair, since that token is good only once.
 * AVITO_OK or AVITO_AGAIN; never fails otherwise. */
AVITO_API int avito_list_end(avito_client *client, size_t drain_max);

/* True between avito_list_*() and its end. */
AVITO_API bool avito_list_open(const avito_client *client);

/* Where a list of chats or messages is, in rows: the .offset at which another list goes on after the last row
 * that was given or reported as an error. Between two pages it may be up to four rows less: those come again.
 * Good from avito_list_*() to the lane's next call, also after the end. Over 1000 nothing can be reached. 0
 * without a lane. */
AVITO_API int avito_list_offset(const avito_client *client);

/* After AVITO_END: the server has more rows than were asked for, or than it lets be reached (the
 * offset ends at 1000). */
AVITO_API bool avito_list_has_more(const avito_client *client);

/* ======================================================================= *
 * >>54 AUTHORIZATION
 * ======================================================================= */

/* The browser address at which a person allows the application (authorization code flow). Writes a
 * NUL-terminated URL; *out_len (optional) gets its length. AVITO_ERR_ROOM if `cap` is too small,
 * with the size that would do in *out_len. `scope`: comma list such as
 * "messenger:read,messenger:write"; `state` may be NULL. */
AVITO_API int avito_authorize_url(const avito_account *account, const char *scope,
                                  const char *state, char *out, size_t cap, size_t *out_len);

/* Authorization code flow: trades the code from the redirect for a token pair. `out` optional. */
AVITO_API int avito_exchange_code(avito_client *client, const char *code, avito_token *out);

/* What a person is asked for, with what some applications need besides. Only `scope` is required. */
typedef struct avito_consent {
    const char *scope;        /* comma list */
    const char *state;        /* comes back with the code, to know it by */
    const char *redirect_uri; /* where the browser brings the code; NULL: as it was registered */
    bool pro_users_flow;      /* as the official guide's address has it */
} avito_consent;

/* The same two calls with these options: redirect_uri has to be named with the code, too. */
AVITO_API int avito_consent_url(const avito_account *account, const avito_consent *consent, char *out,
                                size_t cap, size_t *out_len);
AVITO_API int avito_consent_exchange(avito_client *client, const avito_consent *consent,
                                     const char *code, avito_token *out);

/* Trades the account's refresh token for a new pair. `out` optional. */
AVITO_API int avito_refresh_token(avito_client *client, avito_token *out);

/* ======================================================================= *
 * >>55 NOTIFICATIONS
 * ======================================================================= */

/* The body of a notification. Needs no client. AVITO_END: the probe `{}`, or an object that has no id,
 * payload or message. Else AVITO_OK, ARENA, or a -4xx. A byte order mark before it is skipped. A message that
 * comes without an envelope has no id, type or time of its own: out->message is there. During the call the
 * reader takes 300 to 600 bytes at the end of the arena. `needed` (optional) gets the size for ARENA; if not
 * even the reader or the event's own id and type fit, it is the size to try next. */
AVITO_API int avito_parse_webhook(const void *body, size_t len, avito_arena *arena,
                                  avito_event *out, size_t *needed);

/* The same, and keeps what no model knows as it came (AVITO_RAW): a content of another kind in
 * message->content.as.raw, the value of a payload whose type came before it and is not "message" in
 * out->raw, both in the arena. */
AVITO_API int avito_parse_webhook_raw(const void *body, size_t len, avito_arena *arena,
                                      avito_event *out, size_t *needed);

/* ======================================================================= *
 * >>56 CONFIRMING
 * ======================================================================= */

/* Was it sent? Looks through the chat for an outgoing message with the same text (blanks at the ends
 * and CR do not count), newer than the baseline and not claimed by another send: then *outcome is
 * AVITO_SENT, *found that message, and its id is to be remembered as claimed. AVITO_NOT_SENT: no such
 * message, the grace time is over, and everything since the baseline was seen, down to it or to a row
 * as old. Otherwise AVITO_CANNOT_TELL: ask again later. It tells that the account sent it, not who
 * pressed the key.
 * `found` and `outcome` are required; on an error *outcome is AVITO_CANNOT_TELL. The arena takes one
 * message at a time. */
AVITO_API int avito_confirm_sent(avito_client *client, int64_t user_id, const char *chat_id,
                                 const avito_sent_query *query, avito_arena *arena,
                                 avito_outcome *outcome, avito_message *found);

/* From now on a send on this lane that ends in AVITO_CANNOT_TELL is settled at once, within
 * total_timeout_ms, by reading the chat back as avito_confirm_sent() does: the send's result is
 * AVITO_OK when the message is found; else the error that it ended in (code and status, nothing of
 * its text), with outcome AVITO_NOT_SENT when the grace time passed without it. A refused token or
 * chat, which a retry would not change, ends it: AVITO_CANNOT_TELL. Only sends with
 * `arena` and `out` are settled. `baseline` is borrowed, NULL ends it; text and age are the send's.
 * Set the baseline of the chat before each send. AVITO_OK, ARGUMENT, BUSY. */
AVITO_API int avito_confirm_sends(avito_client *client, const avito_sent_query *baseline);

/* ======================================================================= *
 * >>57 WEBHOOK RECEIVER
 * ======================================================================= *
 *
 * The server side of one connection, without I/O: bytes of requests go in, notifications and bytes
 * of answers come out. Made for use behind a proxy that ends TLS (examples/12_webhook_server.c).
 * One avito_webhook and one buffer per connection. Per round:
 *
 *     wants & AVITO_WANT_WRITE   send avito_webhook_output(), say how much: avito_webhook_sent()
 *     wants & AVITO_WANT_READ    read, avito_webhook_receive(); keep the bytes that it did not use
 *                                and give them again when it wants to read again (pipelining)
 *     deadline is 0              avito_webhook_receive() with no bytes
 *     avito_webhook_finished()   close
 *
 * Acknowledge first, handle later: the server waits two seconds and sends again what was answered
 * late. AVITO_OK from avito_webhook_receive() means that a notification is complete and that its
 * answer waits in the output: send it, then use the body, then avito_webhook_done(). The body stays
 * where it is until then, even when the connection is gone. A 200 cannot be taken back: where a
 * crash in between must not lose the message, save it before you send (if that fails, close without
 * sending: what was not answered comes again), or poll as well (>>58).
 *
 *     200  a notification; or a probe: the body is `{}` or nothing, which is no event
 *     404  another path, so a wrong secret too    403  your verifier refused
 *     405  not POST, with Allow                   408  the request took too long
 *     400  not strictly HTTP/1.1 or HTTP/1.0,     413  the body is longer than the buffer takes
 *          or a transfer coding but chunked       431  a head over 8 KB, a signature over 127 bytes
 *
 * 200, 404 and 405 keep the connection unless the peer wants it closed; the others close it.
 *
 * Methods: whatever is a token, and of any case; only "POST" is POST. The path is looked at first:
 * another one is 404 with every method. HEAD is a method like any other: no answer has a body.
 * Target: the path byte for byte; the forms with a scheme, a query or only a host are 404.
 * Host: HTTP/1.1 needs one line, else 400; HTTP/1.0 none. It holds a host and a port, or nothing.
 * Which host it names does not matter: your names are the proxy's business.
 */

#define AVITO_WEBHOOK_SIGNATURE_ROOM 128u

/* Bytes for a buffer that takes bodies of up to `longest` bytes. A notification has some 500 bytes
 * and its text, up to 12 bytes per character when escaped: 16 KB are ample. */
#define AVITO_WEBHOOK_SIZE(longest) ((size_t)(longest) + AVITO_WEBHOOK_SIGNATURE_ROOM)

typedef struct avito_webhook_options {
    const char *path; /* "/avito/<secret>": what the request target must be, byte for byte. The
                         secret keeps strangers out: 128 random bits or more, 32 hex digits */
    void *buffer;     /* AVITO_WEBHOOK_SIZE(longest body) */
    size_t buffer_cap;
    /* Optional. Called with a complete body and the value of X-Avito-Messenger-Signature (ptr NULL
     * if there was none) before the answer is made; any result but AVITO_OK answers 403. The vendor
     * has not published how the signature is made. Not called for probes. */
    int (*verify)(void *ctx, const void *body, size_t len, avito_str signature);
    void *ctx;
    uint32_t request_timeout_ms; /* 0: 10000; for a whole request, and again for its answer */
    uint32_t idle_timeout_ms;    /* 0: 60000; between two requests */
} avito_webhook_options;

typedef struct avito_webhook {
    struct { /* private; bytes that are used most come first, where code reaches them cheaply */
        uint8_t state;
        uint8_t field;      /* whose value is being read, as a bit; 0: of no interest */
        uint8_t difference; /* 0: the target equals the path so far */
        bool cut;           /* more of the name or value came than was kept */
        uint8_t signature_len;
        uint8_t out_at, out_len;
        uint16_t at;       /* position in the method, target, version, name or word */
        uint16_t head_len; /* bytes of the present head so far */
        uint16_t path_len;
        uint16_t status;   /* of the last answer */
        unsigned flags;    /* AVITOI_WEBHOOK_* */
        int error;         /* what ended the connection; stays */
        uint32_t since_ms; /* when what is going on began */
        size_t length;     /* Content-Length */
        size_t body_len;
        char out[68]; /* the answer; before: the name or value being read, in lower case */
        struct avitoi_body body;
    } priv;
    avito_webhook_options o; /* resolved: what is really in force */
} avito_webhook;

AVITO_API avito_webhook_options avito_webhook_options_default(void);

/* For a connection just accepted. AVITO_OK; ARGUMENT: the path does not begin with a slash, has
 * over 1024 bytes or one that is '?', '#' or not printable ASCII; ROOM: the buffer is missing or
 * takes no body at all. Copies the options; path and buffer must outlive it. `now_ms`, here and
 * below: any monotonic clock, may wrap. */
AVITO_API int avito_webhook_init(avito_webhook *webhook, const avito_webhook_options *options,
                                 uint32_t now_ms);

/* Takes up to `len` bytes, *used of them, and stops after a request. AVITO_AGAIN: go by
 * avito_webhook_wants(). AVITO_OK: a notification waits. An error ends the connection and stays:
 * send the output, then close. HTTP, HTTP_LENGTH, HTTP_CHUNK, HTTP_HEAD, ROOM: the request is bad,
 * as above; HOOK: the verifier refused; TIMEOUT_TOTAL: the peer is too slow; TIMEOUT_IDLE: no
 * further request came. Once the peer has closed, only send what is left of the output. */
AVITO_API int avito_webhook_receive(avito_webhook *webhook, const void *data, size_t len,
                                    size_t *used, uint32_t now_ms);

/* AVITO_WANT_WRITE, AVITO_WANT_READ, or 0: finished, or a notification waits for its done(). */
AVITO_API int avito_webhook_wants(const avito_webhook *webhook);

/* Milliseconds until avito_webhook_receive() must be called even if nothing comes; UINT32_MAX: never. */
AVITO_API uint32_t avito_webhook_deadline_ms(const avito_webhook *webhook, uint32_t now_ms);

/* Bytes to send now, good until the next avito_webhook_sent(); NULL and 0: none. */
AVITO_API const char *avito_webhook_output(const avito_webhook *webhook, size_t *len);
AVITO_API void avito_webhook_sent(avito_webhook *webhook, size_t len, uint32_t now_ms);

/* The body of the notification that waits, in your buffer, not NUL-terminated; NULL: none waits. */
AVITO_API const void *avito_webhook_body(const avito_webhook *webhook, size_t *len);

/* The same, decoded: as avito_parse_webhook(); IDLE: none waits. What it decodes to does not point
 * into your buffer. */
AVITO_API int avito_webhook_event(const avito_webhook *webhook, avito_arena *arena,
                                  avito_event *out, size_t *needed);

/* The signature that came with it; ptr NULL: none. */
AVITO_API avito_str avito_webhook_signature(const avito_webhook *webhook);

/* The notification is dealt with: its memory may take the next one. */
AVITO_API void avito_webhook_done(avito_webhook *webhook, uint32_t now_ms);

/* True when everything is answered and nothing more will be taken: close. Where the peer is not
 * your own proxy, shut down sending first and read on for a moment, or it may miss the answer. */
AVITO_API bool avito_webhook_finished(const avito_webhook *webhook);

/* HTTP status of the last answer, for your log; 0: none yet. */
AVITO_API int avito_webhook_status(const avito_webhook *webhook);

/* ======================================================================= *
 * >>58 INBOX
 * ======================================================================= *
 *
 * Every new message of one account, once, also those that it wrote itself (avito_classify()): polling
 * and notifications as one stream.
 *
 *     avito_inbox_next() gives a message  ->  you handle it  ->  avito_inbox_accept()
 *
 * accept() writes the state through your save() before anything is marked as read: after a crash the
 * stream goes on after the last message that was accepted, and the one in your hands comes again.
 *
 * A poll reads the first chats of the list, and the messages of those that have changed. Each of
 * these chats is read once more when `overlap_s` have passed: a message that shows up by so much
 * later than its neighbours is still found. Every `sweep_ms` all of the list is read twice. How it
 * works, what a poll costs, and what is not covered: >>51.
 */

/* Bytes of state for a ring of `ids` message ids. The ring should hold what arrives within
 * overlap_s and two sweeps; beyond that messages may come twice, and AVITO_INBOX_OVERRUN says so. */
#define AVITO_INBOX_STATE_SIZE(ids) (32u + 12u * (size_t)(ids))

/* Bytes of records for `chats` chats that move within overlap_s. */
#define AVITO_INBOX_CHATS_SIZE(chats) (20u * (size_t)(chats) + 7u)

/* What happened on the way, as bits; avito_inbox_events() gives and clears them. A call that meets one
 * ends with it, and avito_inbox_about() names the chat. */
#define AVITO_INBOX_OVERRUN     1u /* the ring was too small: messages may have come twice */
#define AVITO_INBOX_UNREACHABLE 2u /* rows were left unread: they were beyond the API's reach (1001 chats, \
                                      1001 messages of a chat), a chat failed for too long, or its \
                                      id has over 67 bytes */
#define AVITO_INBOX_STATE_LOST  4u /* no stored state was readable: began as on a first start */
#define AVITO_INBOX_DISORDER    8u /* rows were not in the order of their times, the newest first: what \
                                      is new may come later, by up to sweep_ms. Said once per init */
#define AVITO_INBOX_TIME       16u /* a time ahead of the service's Date was not believed: a message's, \
                                      or the stored one, which went back: messages may come twice */

typedef enum avito_inbox_start {
    AVITO_START_NOW = 0, /* gives nothing that is there already, which includes what comes during the
                            first round in the newest second that it finds */
    AVITO_START_UNREAD,  /* messages that were not read yet, then all new ones */
    AVITO_START_SINCE    /* messages created at `since` or later */
} avito_inbox_start;

typedef struct avito_inbox_options {
    int64_t user_id;
    void *state;             /* AVITO_INBOX_STATE_SIZE(ids) bytes, kept by the inbox */
    size_t state_cap;
    avito_arena *arena;      /* 512 bytes or more, of which seven eighths hold your largest message;
                                more room saves requests. Keep nothing of yours in it. Using it in
                                between costs a few requests more */
    void *chats;             /* optional: AVITO_INBOX_CHATS_SIZE(n) bytes for records of chats. Without
                                room for all that moved within overlap_s, the others are read in each
                                poll. What is in it is not needed after a restart */
    size_t chats_cap;
    const struct avitoi_inbox_records *records; /* private: avito_enable_inbox_records() */
    void *ctx;               /* first argument of both hooks */
    /* Writes `len` bytes durably into slot 0 or 1, whole or not at all. One call per message accepted
     * or skipped, at most one per round that had messages, and one or two at the very first
     * start. AVITO_OK or an error. NULL, and load too: nothing is kept. */
    int (*save)(void *ctx, int slot, const void *data, size_t len);
    /* Reads what was saved into a slot. AVITO_END: nothing there; an error: avito_inbox_init() fails,
     * since what is there is not known. *len over cap: saved with a larger ring, it counts as lost
     * (AVITO_INBOX_STATE_LOST). Called at start, once or twice for each slot. */
    int (*load)(void *ctx, int slot, void *data, size_t cap, size_t *len);
    avito_inbox_start start; /* only when nothing was saved */
    int64_t since;           /* AVITO_START_SINCE: unix seconds, by the server's clock */
    bool unread_only;        /* read only chats with unread messages: less traffic, a weaker promise */
    bool mark_as_read;       /* when all messages of a chat were accepted; not in an overrun */
    /* These four: at most 2^30, to which more is cut; of milliseconds that is twelve days. */
    uint32_t poll_ms;        /* between rounds; 0: 15000 */
    uint32_t slow_poll_ms;   /* while notifications come; 0: 300000 */
    uint32_t overlap_s;      /* 0: 300 */
    uint32_t sweep_ms;       /* between reads of all of the list; 0: 900000 */
    uint32_t nap_ms;         /* a lane that may wait sleeps so long between rounds before the call
                                returns AVITO_AGAIN; 0: until the next round */
} avito_inbox_options;

typedef struct avito_inbox {
    avito_client *client;
    struct { /* private; what is used most comes first, where short instructions reach it; what is
                zeroed together fills words of its own */
        /* Of the list in work: zeroed by each change of phase; ... */
        bool open;          /* a call of ours is in progress on the lane */
        uint8_t then;       /* AVITOI_INBOX_THEN_ON ... */
        uint16_t rows;      /* of the page, so far */
        /* ... when a list begins; ... */
        bool turn;          /* its last row says that the next page matters */
        bool full;          /* the queue is full */
        bool found;         /* a new message was found, but the oldest is not kept: it did not fit */
        bool dropped;       /* newer ones were dropped, to make room for older ones */
        /* ... when the messages of a chat are read from the newest on. */
        uint8_t limit;      /* rows of a window; 0: from the newest message on */
        bool anchored;      /* the row at which it begins or ends was met */
        uint8_t flaws;      /* AVITOI_INBOX_CUT ..., of the look */
        /* Of the chat in work. */
        bool failed;        /* it failed once */
        uint8_t mark;       /* AVITOI_INBOX_MARK_NONE ... */
        uint8_t fit;        /* messages that fit in the arena; 0: not known */
        uint8_t kept_count;
        uint8_t phase;      /* AVITOI_INBOX_WAIT ... */
        /* Of the round. */
        bool at_end;        /* it read all of the list */
        bool looked;        /* chats were read in this pass */
        bool missed;        /* a chat may have slipped by, or was not asked for since it was refused */
        uint8_t extra;      /* passes over the list beyond the first one */
        uint8_t late_left;  /* late looks that it may still take */
        bool whole;         /* it is to read all of the list */
        bool more;          /* another page follows the queue */
        /* Of the inbox. */
        uint8_t stage;      /* AVITOI_INBOX_NEW ... */
        bool overrun;       /* since the last round that counted */
        bool spilled;       /* a chat that is due in each round has no record */
        uint8_t owes_marks; /* bits: this round, the next one look for chats that were not marked */
        uint8_t wholes;     /* whole rounds that are still to come */
        uint8_t resume;     /* the phase that follows a pause; WAIT: a new round */
        uint8_t events;     /* AVITO_INBOX_* that were not asked for yet */
        bool raised;        /* an event, in this call */
        bool eager;         /* there is more to do at once */
        bool unsaved;       /* something was accepted since the horizon was saved */
        bool all_chats;     /* not only the unread ones are to be read */
        bool rung;          /* a notification came during the round */
        bool odd_lost;      /* the ring was too small for times that are not believed, in this round */
        bool disorder;      /* AVITO_INBOX_DISORDER was raised */
        uint8_t failures;   /* of rounds, five minutes apart */
        uint8_t restarts;   /* of lists since the last pause */
        uint8_t empty_pages;
        uint16_t offset;                 /* of the page in work */
        uint16_t above;                  /* the row at which the next window ends */
        uint16_t scan_offset, scan_rows; /* rows of the list, of the page, that were handled: the next
                                            page of chats begins with the last of them */
        uint16_t queue_end;              /* bytes of the queue */
        uint16_t fills;                  /* of the arena, as the inbox left it */
        uint16_t key_row;                /* row of the new message met last */
        uint16_t low_begin;              /* where the list's elements begin, in units of 8 bytes */
        int16_t round_error, row_error;
        uint32_t kept;                   /* the oldest message kept, in the arena; 0: none */
        uint32_t first, window_last;     /* hashes: the row `above`; the last one of the window; 0: none */
        uint32_t page_anchor, scan_anchor; /* of the last row read; of the last chat handled */
        uint32_t anchor;                 /* of the chat's message that was accepted last; 0: none */
        uint32_t date, before;           /* of the last answer; of the one before */
        uint32_t look;                   /* when the look at the chat began */
        uint32_t sure;                   /* the horizon may move up to this, less the overlap */
        uint32_t updated;                /* when the newest chat was updated, as the round began */
        uint32_t former;                 /* `sure` of the whole round before; 0: there was none */
        uint32_t newest;                 /* time of the newest message */
        uint32_t row_created;            /* of the row before */
        uint32_t created;                /* of `key` */
        uint32_t chat_updated, chat, chat_row; /* the chat in work: its row before the look, hash of its id */
        uint32_t key[2];                 /* hash of the message in the caller's hands, or met last */
        uint32_t floor;                  /* START_UNREAD: nothing older is expected to be unread */
        uint32_t wait_from_ms, wait_ms;  /* until the next round */
        uint32_t whole_ms;               /* when the last whole round ended */
        uint32_t failures_ms;            /* when `failures` was counted up last */
        uint32_t heard_ms;               /* when the last notification came; 0: none */
        char chat_id[68];
    } priv;
    avito_inbox_options o; /* resolved: what is really in force */
} avito_inbox;

AVITO_API avito_inbox_options avito_inbox_options_default(void);

/* A part, as those of the account (>>15): .chats. Without it a chat that moved is read in each round. */
AVITO_API void avito_enable_inbox_records(avito_inbox_options *options);

/* Loads the stored state. AVITO_OK, ARGUMENT, ROOM (state_cap, or an arena under 512 bytes), BUSY (a
 * call is under way on the client), HOOK, OPTION_STATE (what is stored is another account's; it is
 * left as it is), with AVITO_TINY OPTION_CHATS. In a round the client is used by the inbox while
 * avito_inbox_next() returns AVITO_AGAIN: a call of yours is BUSY then. Between rounds, and whenever it
 * returns something else than AVITO_AGAIN or an error of one row, the client is free for your own calls
 * until the next one. avito_cancel() is legal at any moment. */
AVITO_API int avito_inbox_init(avito_inbox *inbox, avito_client *client,
                               const avito_inbox_options *options);

/* The next message; *out and everything in it is good until the next call on the inbox or its
 * arena. chat_id of the message is always set.
 * AVITO_OK: a message. Until it is accepted the same one comes again.
 * AVITO_AGAIN: wait for avito_inbox_wants() or avito_inbox_deadline_ms(), which is 0 after very much
 *   work or an event. A lane that may wait waits, but not longer than until the next round, or nap_ms.
 * AVITO_ERR_ARENA, MODEL, DUPLICATE with an id in avito_last_error()->text, and the field: one message
 *   or one row of the list of chats could not be taken. It is said once, and skipped.
 * AVITO_ERR_BUSY: a call of yours is under way on the client, end it first; or this is one of its
 *   hooks, or one of the inbox.
 * Any other error: this round failed; go on calling, it goes on in time.
 * avito_inbox_about() names the chat. */
AVITO_API int avito_inbox_next(avito_inbox *inbox, avito_message *out);

/* The message from avito_inbox_next() or avito_inbox_offer() was handled: it will not come again.
 * AVITO_OK; HOOK when save() failed: it is not accepted, try again; IDLE; BUSY from a hook. */
AVITO_API int avito_inbox_accept(avito_inbox *inbox);

/* A notification, parsed by avito_parse_webhook(): AVITO_OK: it is new, handle it and accept it now.
 * AVITO_END: it was given before. BUSY: a round is going on or a message is in your hands; nothing is
 * lost, the next round brings it; or this is a hook of the lane. ARGUMENT: it is another account's
 * (user_id). */
AVITO_API int avito_inbox_offer(avito_inbox *inbox, const avito_message *message);

/* A notification came, whatever was in it: poll now. */
AVITO_API void avito_inbox_doorbell(avito_inbox *inbox);

/* As avito_wants() and avito_deadline_ms() of the lane; between rounds AVITO_WANT_TIMER and the time to
 * the next one; 0 and UINT32_MAX where avito_inbox_init() failed. Go on by avito_inbox_next(), not by
 * avito_step(). */
AVITO_API int avito_inbox_wants(const avito_inbox *inbox);
AVITO_API uint32_t avito_inbox_deadline_ms(const avito_inbox *inbox);

/* AVITO_INBOX_* bits since you asked last. */
AVITO_API unsigned avito_inbox_events(avito_inbox *inbox);

/* Id of the chat that the last result or event of avito_inbox_next() is about, cut at 67 bytes; "" when
 * it is about none. Good until the next call on the inbox. */
AVITO_API const char *avito_inbox_about(const avito_inbox *inbox);

/* ======================================================================= *
 * >>59 POSIX TCP (AVITO_WITH_POSIX)
 * ======================================================================= *
 *
 * Sockets as a transport: IPv4 and IPv6, four addresses of the name tried in turn (both kinds among
 * them if there are), no SIGPIPE, no heap of our own. 15 seconds are shared out among the look-up and
 * the addresses; one that does not answer blocks the next for 1 to 4 of them. The C library's
 * getaddrinfo() waits, so it is called by wait() alone: a lane that may not wait needs a numeric host,
 * `address`, or `resolve`.
 *
 * A small call costs two system calls, send and recv: wait() for bytes leaves the waiting to the recv()
 * after it, and a recv() right after the end of a request says AVITO_IO_AGAIN without asking the
 * kernel, because an answer takes longer than that.
 */
#if AVITO_WITH_POSIX

/* One address of a host, bytes in network order. */
typedef struct avito_tcp_address {
    uint8_t bytes[16];
    uint8_t size;   /* 4: IPv4, 16: IPv6 */
    uint32_t scope; /* IPv6 link-local only, else 0 */
} avito_tcp_address;

#define AVITO_TCP_ADDRESSES 4 /* tried per connect, at most */

typedef struct avito_tcp_options {
    bool never_wait;     /* no wait(): lanes on it return AVITO_AGAIN */
    const char *address; /* connect to this numeric address whatever the host is called; or NULL */
    int wake_fd;         /* a pipe, socket or eventfd: while it is readable, avito_inbox_next() does not
                            sleep between rounds. It is yours to read; 0: none */
    /* Optional: looks names up instead of getaddrinfo(). Puts up to `cap` addresses into `out` and
     * their number, > 0, into *count. AVITO_OK; AVITO_AGAIN (called again later, must not wait on a
     * never_wait lane); AVITO_ERR_RESOLVE or another error. */
    int (*resolve)(void *ctx, const char *host, avito_tcp_address *out, size_t cap, size_t *count);
    void *ctx;
} avito_tcp_options;

typedef struct avito_tcp {
    avito_tcp_options o;
    struct {
        avito_tcp_address addresses[AVITO_TCP_ADDRESSES];
        const char *host;    /* to look up; good until connect is called again */
        int fd;              /* -1: none */
        int error;           /* errno, or EAI_* of the look-up */
        int wants;
        uint32_t started_ms; /* when the connect to this address began, or the look-up */
        uint32_t recv_ms;    /* how long the next recv may wait; 0: not at all */
        uint32_t timeout_ms; /* the socket's own, for that */
        uint32_t moved;      /* bytes that the socket took or gave */
        uint16_t left_ms;    /* for this address and those after it, from started_ms on */
        uint8_t count;       /* of addresses */
        uint8_t next;        /* the one to try next */
        uint8_t state;       /* AVITOI_TCP_* */
        bool sent_last;      /* the last I/O function called was send */
        bool too_early;      /* a request has just left */
        bool may_block;      /* the socket waits unless told otherwise in each call */
        bool unreached;      /* the last connect ended without a connection */
    } priv;
} avito_tcp;

AVITO_API avito_tcp_options avito_tcp_options_default(void);

/* AVITO_OK, ARGUMENT (`address` is not numeric), or OPTION_RESOLVE: never_wait without `address` and
 * `resolve`. `options` may be NULL. Copies them, but not the text of `address`. */
AVITO_API int avito_tcp_init(avito_tcp *tcp, const avito_tcp_options *options);

/* The transport to give to a client or to TLS. `tcp` must outlive it and serves one lane. */
AVITO_API avito_transport avito_tcp_transport(avito_tcp *tcp);

/* The socket, for select(), poll() or epoll; -1 while there is none. Changes with every connect, also
 * from one address to the next: ask after every step. */
AVITO_API int avito_tcp_fd(const avito_tcp *tcp);

/* Hooks for avito_account_options and avito_tls_options; `ctx` is not used. */
AVITO_API uint32_t avito_posix_clock_ms(void *ctx);
AVITO_API int64_t avito_posix_unix_time(void *ctx);
AVITO_API int avito_posix_entropy(void *ctx, void *out, size_t len);

#endif /* AVITO_WITH_POSIX */

/* ======================================================================= *
 * >>60 TLS BY BEARSSL (AVITO_WITH_BEARSSL)
 * ======================================================================= *
 *
 * TLS 1.2 as a transport over any transport: sockets, lwIP, a modem's UART. You give the context, the
 * buffers, the trust anchors, the time and the random bytes; nothing is allocated.
 *
 * Six suites (ECDHE with AES-128-GCM, AES-256-GCM or ChaCha20-Poly1305), no renegotiation, ALPN
 * "http/1.1", certificates signed with SHA-256, 384 or 512, RSA of 2048 bits or more. On top of what
 * BearSSL checks, each certificate of the chain (eight at most) must be v3 without repeated
 * extensions or name constraints, its extended key usage, if any, must allow TLS servers, and the
 * server's own must list its DNS names and be no CA. The host must be a name, not an address.
 */
#if AVITO_WITH_BEARSSL

#ifdef __cplusplus
} /* bearssl.h brings its own extern "C" */
#endif
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#if defined(__clang__)
#pragma GCC diagnostic ignored "-Weverything"
#endif
#endif
#if defined(AVITO_BEARSSL_H)
#include AVITO_BEARSSL_H
#elif !defined(__has_include)
#include <bearssl.h>
#elif __has_include("bearssl.h")
#include "bearssl.h"
#elif __has_include("bearssl/bearssl.h") /* Arduino's library */
#include "bearssl/bearssl.h"
#else
#error "AVITO_WITH_BEARSSL: bearssl.h is not in the include path. Install BearSSL (Debian: libbearssl-dev), \
add -I with its inc/, or name it: #define AVITO_BEARSSL_H <where/it/is/bearssl.h>"
#endif
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* Bytes for .buffer. `fragment` is 512, 1024, 2048, 4096 or 16384. Below 16384 the server is asked for
 * small records; many servers ignore that, and a larger record is then AVITO_ERR_TLS_ROOM.
 * Half duplex shares one buffer: while a record is being sent none can be read. If the server speaks
 * while a record of ours cannot leave, sending is given up in favour of what it says: an early answer
 * to an upload arrives, and send() fails from then on. Full duplex does both at once. */
#define AVITO_TLS_BUFFER_HALF(fragment) ((size_t)(fragment) + 325u)
#define AVITO_TLS_BUFFER_FULL(fragment) (2u * (size_t)(fragment) + 410u)

typedef struct avito_tls_options {
    avito_transport transport; /* carries the records */
    const br_x509_trust_anchor *anchors;
    size_t anchors_count;
    void *buffer;              /* for records, AVITO_TLS_BUFFER_*() bytes; must not move */
    size_t buffer_cap;
    bool full_duplex;          /* buffer_cap is AVITO_TLS_BUFFER_FULL() */
    void *read_ahead;          /* optional: 1 KB or more halve the transport's recv() calls */
    size_t read_ahead_cap;
    void *ctx;                 /* first argument of every hook below */
    int64_t (*unix_time)(void *ctx);                  /* required; before 2020: OPTION_TIME */
    int (*entropy)(void *ctx, void *out, size_t len); /* required; AVITO_OK or an error */
    /* Optional: called before and after each piece of handshake work. Where single multiplications
     * outlast the watchdog see AVITO_TLS_WATCHED_EC. */
    void (*watchdog)(void *ctx);
    /* Optional: chooses suites and implementations instead of avito_tls_profile(), to save flash.
     * What this client insists on is set after it and cannot be loosened here. With
     * AVITO_TLS_OWN_PROFILE 1 it is required and avito_tls_profile() is not linked. */
    void (*configure)(void *ctx, br_ssl_client_context *ssl, br_x509_minimal_context *x509);
} avito_tls_options;

/* A TLS session to continue later, without certificates and long arithmetic: plain bytes, good for a
 * file or a backup register. Holds a secret: keep it like a key. Bound to host, port and anchors. */
#define AVITO_TLS_SESSION_SIZE 112
typedef struct avito_tls_session {
    uint8_t bytes[AVITO_TLS_SESSION_SIZE];
} avito_tls_session;

/* Why a certificate was refused with AVITO_ERR_TLS_CERT: avito_error.detail is one of these or
 * BearSSL's own BR_ERR_X509_*. */
#define AVITO_TLS_CERT_DER         901 /* not well-formed */
#define AVITO_TLS_CERT_VERSION     902 /* not version 3 */
#define AVITO_TLS_CERT_REPEATED    903 /* an extension is there twice, or there are over 20 */
#define AVITO_TLS_CERT_CONSTRAINTS 904 /* name constraints, which are not checked here */
#define AVITO_TLS_CERT_USAGE       905 /* extended key usage without TLS server */
#define AVITO_TLS_CERT_NO_NAME     906 /* the server's certificate lists no DNS name */
#define AVITO_TLS_CERT_CA          907 /* the server's certificate is a CA's */
#define AVITO_TLS_CERT_CHAIN       908 /* over eight certificates */

/* Private: what the check of one certificate remembers between two pieces of it. */
typedef struct avitoi_cert {
    const br_x509_class *vtable; /* first: BearSSL calls us through it */
    br_x509_minimal_context *inner;
    uint32_t pos;                /* bytes of the certificate seen */
    uint32_t need;               /* bytes to skip or to hold; or the length being read */
    uint32_t hash;               /* of the bytes held */
    uint32_t end[8];             /* where each open element ends */
    uint32_t seen[20];           /* hashes of the extensions' names */
    uint8_t held[12];            /* the first of them */
    uint16_t failure;            /* AVITO_TLS_CERT_*; 0: none */
    uint8_t depth, step, field, part, tag, len_bytes, held_len, seen_len, certs, extension, found;
    bool started;                /* a chain came in this handshake */
} avitoi_cert;

typedef struct avito_tls {
    avito_tls_options o;
    struct {
        br_ssl_client_context ssl;
        struct {                   /* needed during a handshake: else avito_tls_arena() may have it */
            br_x509_minimal_context x509;
            avitoi_cert cert;
        } check;
        avito_arena arena;         /* over check; base NULL: not lent */
        const char *alpn[1];
        br_ssl_session_parameters session; /* kept from an earlier handshake */
        uint8_t session_key[16];   /* hash of the anchors, host and port that it is for */
        uint8_t anchors_key[16];   /* hash of the anchors */
        int64_t session_time;      /* when its certificates were checked; 0: no session */
        size_t ahead_pos, ahead_len;       /* bytes received and not yet given to the engine */
        uint8_t peeked[8];                 /* that hold them where there is no read_ahead */
        uint32_t record_left;      /* bytes of the record being received still to come */
        uint32_t handshake_bytes;
        int64_t now;
        int detail;
        int failure;               /* result that stays until the next connect; 0: none */
        int send_failure;          /* sending is over, receiving may go on */
        uint8_t state;             /* AVITOI_TLS_* */
        uint8_t head[5], head_len; /* of that record */
        uint8_t flight[64];        /* the end of a handshake, which leaves with the request */
        uint8_t flight_len;        /* bytes of it that have not left */
        uint8_t shift;             /* bytes by which it pushed the record after it up in the buffer */
        uint8_t idle_records;      /* in a row without data */
        uint8_t held_back;         /* 1: an unfinished record of ours; 2: and recv was called since */
        bool more_below;           /* the last recv below got all that it had room for */
        uint32_t moved;            /* bytes of records, both ways */
        bool in_the_way;           /* send gave up for data that recv has not taken since */
        bool resumed;
        bool checking;             /* check is in use */
    } priv;
} avito_tls;

AVITO_API avito_tls_options avito_tls_options_default(void);

/* AVITO_OK, or OPTION_TRANSPORT, OPTION_ANCHORS, OPTION_TIME, OPTION_ENTROPY (missing), TLS_ROOM
 * (buffer), ARGUMENT (configure chose a suite that is not allowed, or is missing). Copies the options. */
AVITO_API int avito_tls_init(avito_tls *tls, const avito_tls_options *options);

/* The transport to give to a client. `tls` must outlive it, must not move, and serves one lane. */
AVITO_API avito_transport avito_tls_transport(avito_tls *tls);

/* An arena in memory of `tls` that only the check of certificates needs, some 3 KB: for boards, after init.
 * Each handshake takes it back, but never loses what it holds: while it holds anything, a connect is
 * AVITO_ERR_BUSY. So reset it before each call. A list with .all_pages can be BUSY between two pages.
 * .configure is then called for each connection. NULL only without a good `tls`. */
AVITO_API avito_arena *avito_tls_arena(avito_tls *tls);

/* The default choice of implementations: the fastest that the machine has, all curves. */
AVITO_API void avito_tls_profile(br_ssl_client_context *ssl, br_x509_minimal_context *x509);

/* Whether the connection continued an earlier session, and its cipher suite (BR_TLS_*); 0: none. */
AVITO_API bool avito_tls_resumed(const avito_tls *tls);
AVITO_API int avito_tls_suite(const avito_tls *tls);

/* True if .buffer holds nothing that is needed: no connection is open, or no record is under way in either
 * direction. Until the next call on its lane the memory may serve others, for instance lanes that take turns
 * with it. False without a good `tls`. */
AVITO_API bool avito_tls_at_rest(const avito_tls *tls);

/* Takes the session out, to be put into another avito_tls or to survive a reboot. AVITO_OK; AVITO_END:
 * there is none; ARGUMENT. */
AVITO_API int avito_tls_get_session(const avito_tls *tls, avito_tls_session *out);

/* Puts one in, between connections; the next connect tries it if it is for that host, port and these
 * anchors and not older than a day. AVITO_OK or ARGUMENT. */
AVITO_API int avito_tls_set_session(avito_tls *tls, const avito_tls_session *session);

/* ---- trust anchors ----
 *
 * br_x509_trust_anchor arrays: made by tools/anchors at build time, or read here from PEM at run time,
 * in pieces of any size. The memory given holds the result and must outlive its use. */
typedef struct avito_anchors {
    const br_x509_trust_anchor *items;
    size_t count;
    size_t skipped;             /* certificates with a kind of key that BearSSL does not know */
    size_t needed;              /* bytes of memory that hold everything read so far */
    struct {
        br_pem_decoder_context pem;
        br_x509_decoder_context x509;
        char *memory;
        size_t cap, low, high;  /* names and keys grow up, anchors grow down */
        size_t certificate_low; /* where the certificate in progress began */
        size_t bytes;           /* of it, counted also when they do not fit */
        int failure;
        bool open;              /* inside a certificate */
        bool full;
        size_t begins;          /* "-----BEGIN " seen, less those that began an object */
        uint8_t dashes;         /* how much of it was seen last */
        bool was_full;          /* before the certificate in progress */
    } priv;
} avito_anchors;

AVITO_API void avito_anchors_begin(avito_anchors *anchors, void *memory, size_t cap);
AVITO_API void avito_anchors_add_pem(avito_anchors *anchors, const void *text, size_t len);

/* AVITO_OK; OPTION_ANCHORS: no certificate, or a broken or cut one; ROOM: give anchors->needed. */
AVITO_API int avito_anchors_end(avito_anchors *anchors);

/* The three in one. */
AVITO_API int avito_anchors_load_pem(avito_anchors *anchors, void *memory, size_t cap,
                                     const void *text, size_t len);
#if AVITO_WITH_POSIX
/* From a file such as /etc/ssl/certs/ca-certificates.crt, read in pieces. */
AVITO_API int avito_anchors_load_file(avito_anchors *anchors, void *memory, size_t cap,
                                      const char *path);
#endif

/* For boards whose watchdog is shorter than a handshake. BearSSL's arithmetic takes no context, so
 * these two define, in your own file, twins of an implementation that call hook() before and after
 * each multiplication; use them in .configure:
 *
 *     AVITO_TLS_WATCHED_EC(board_ec, br_ec_p256_m15, 1u << BR_EC_secp256r1, feed_watchdog)
 *     AVITO_TLS_WATCHED_RSA(board_rsa, br_rsa_i15_pkcs1_vrfy, feed_watchdog)
 */
#define AVITO_TLS_WATCHED_EC(name, inner, curves, hook)                                            \
    static uint32_t name##_mul(unsigned char *g, size_t g_len, const unsigned char *x,             \
                               size_t x_len, int curve)                                            \
    {                                                                                              \
        uint32_t ok;                                                                               \
        hook();                                                                                    \
        ok = (inner).mul(g, g_len, x, x_len, curve);                                               \
        hook();                                                                                    \
        return ok;                                                                                 \
    }                                                                                              \
    static size_t name##_mulgen(unsigned char *r, const unsigned char *x, size_t x_len, int curve) \
    {                                                                                              \
        size_t len;                                                                                \
        hook();                                                                                    \
        len = (inner).mulgen(r, x, x_len, curve);                                                  \
        hook();                                                                                    \
        return len;                                                                                \
    }                                                                                              \
    static uint32_t name##_muladd(unsigned char *a, const unsigned char *b, size_t len,            \
                                  const unsigned char *x, size_t x_len, const unsigned char *y,    \
                                  size_t y_len, int curve)                                         \
    {                                                                                              \
        uint32_t ok;                                                                               \
        hook();                                                                                    \
        ok = (inner).muladd(a, b, len, x, x_len, y, y_len, curve);                                 \
        hook();                                                                                    \
        return ok;                                                                                 \
    }                                                                                              \
    static const unsigned char *name##_generator(int curve, size_t *len)                           \
    {                                                                                              \
        return (inner).generator(curve, len);                                                      \
    }                                                                                              \
    static const unsigned char *name##_order(int curve, size_t *len)                               \
    {                                                                                              \
        return (inner).order(curve, len);                                                          \
    }                                                                                              \
    static size_t name##_xoff(int curve, size_t *len)                                              \
    {                                                                                              \
        return (inner).xoff(curve, len);                                                           \
    }                                                                                              \
    static const br_ec_impl name = {(uint32_t)(curves), name##_generator, name##_order,            \
                                    name##_xoff,        name##_mul,       name##_mulgen,           \
                                    name##_muladd};
#define AVITO_TLS_WATCHED_RSA(name, inner, hook)                                                   \
    static uint32_t name(const unsigned char *x, size_t x_len, const unsigned char *hash_oid,      \
                         size_t hash_len, const br_rsa_public_key *pk, unsigned char *hash_out)    \
    {                                                                                              \
        uint32_t ok;                                                                               \
        hook();                                                                                    \
        ok = inner(x, x_len, hash_oid, hash_len, pk, hash_out);                                    \
        hook();                                                                                    \
        return ok;                                                                                 \
    }

#endif /* AVITO_WITH_BEARSSL */

/* ======================================================================= *
 * >>61 RAW JSON
 * ======================================================================= *
 *
 * For JSON that no model knows and that lies whole in memory: what AVITO_RAW keeps of a message of a new
 * type or of a payload of another kind, a command that a program received. The text is
 * checked as strictly as an answer is (RFC 8259, UTF-8, at most 32 levels) and tokenised into memory of
 * yours; then it is walked by value. Nothing is copied: text and tokens must outlive the values::
 *
 *     char tokens[AVITO_JSON_TOKENS_SIZE(64)];
 *     avito_json json;
 *     avito_json_value sticker;
 *     int64_t pack = 0;
 *     if (avito_json_parse(&json, text, strlen(text), tokens, sizeof tokens) == AVITO_OK) {
 *         sticker = avito_json_get(avito_json_root(&json), "sticker");
 *         result = avito_json_int(avito_json_get(sticker, "pack_id"), &pack);
 *     }
 *
 * What is not there is a value of type NONE, which every function takes: a chain of them needs one look at
 * the end. examples/13_unknown_type.c reads a message of a type that does not exist yet.
 */

typedef enum avito_json_type {
    AVITO_JSON_NONE = 0, /* not there */
    AVITO_JSON_NULL,
    AVITO_JSON_BOOL,
    AVITO_JSON_NUMBER,
    AVITO_JSON_STRING,
    AVITO_JSON_ARRAY,
    AVITO_JSON_OBJECT
} avito_json_type;

/* Bytes for the tokens of a text with `n` of them: one for each object, array, key and value. A text of
 * `len` bytes has at most len / 2 + 1. Good for a static array; the memory may begin anywhere. */
#define AVITO_JSON_TOKENS_SIZE(n)                                                                  \
    (((size_t)(n) * 20u > sizeof(struct avitoi_json) ? (size_t)(n) * 20u                           \
                                                     : sizeof(struct avitoi_json)) + 7u)

typedef struct avito_json {
    size_t needed; /* after ROOM: bytes of memory that will do; if it had not even room for
                      AVITO_JSON_TOKENS_SIZE(0), the size to try next; else 0 */
    struct {
        const char *text;
        const void *tokens;
        size_t count;
    } priv;
} avito_json;

/* A value of the text: an object, an array, a key or what they hold. Zeroed, it is none. */
typedef struct avito_json_value {
    const avito_json *json;
    size_t token;
} avito_json_value;

/* Checks and tokenises `len` bytes of `text`. AVITO_OK; ROOM: give json->needed bytes; JSON, JSON_UTF8,
 * JSON_DEPTH; EMPTY: blanks only; ARGUMENT, also for a text over 2 GB. After an error the root is NONE. */
AVITO_API int avito_json_parse(avito_json *json, const void *text, size_t len, void *memory,
                               size_t memory_size);

/* The whole text's value. */
AVITO_API avito_json_value avito_json_root(const avito_json *json);

AVITO_API avito_json_type avito_json_type_of(avito_json_value value);

/* Members of an object, elements of an array; else 0. */
AVITO_API size_t avito_json_count(avito_json_value value);

/* The value of the first member with this key; NONE: there is none, or `object` is no object. */
AVITO_API avito_json_value avito_json_get(avito_json_value object, const char *key);

/* The value at `index`, from 0, of an array's elements or an object's members. */
AVITO_API avito_json_value avito_json_at(avito_json_value value, size_t index);

/* All of them in order: from first() by next() until the type is NONE. Linear; at() starts over each
 * time. key() is the string before a member's value; NONE for others. */
AVITO_API avito_json_value avito_json_first(avito_json_value value);
AVITO_API avito_json_value avito_json_next(avito_json_value value);
AVITO_API avito_json_value avito_json_key(avito_json_value value);

/* The value as the text has it, quotes and blanks within included; ptr NULL: NONE. Unlike other
 * avito_str its end has no NUL. */
AVITO_API avito_str avito_json_raw(avito_json_value value);

/* True for a string that is `word`, escapes decoded. */
AVITO_API bool avito_json_is(avito_json_value value, const char *word);

/* Decodes a string into the arena (a lone surrogate becomes U+FFFD). AVITO_OK; AVITO_END: NONE or null,
 * `out` is a missing string; MODEL: no string; ARENA: *needed (optional) bytes will do; ARGUMENT, BUSY. */
AVITO_API int avito_json_string(avito_json_value value, avito_arena *arena, avito_str *out,
                                size_t *needed);

/* A whole number in the range of int64_t; true or false. AVITO_OK; AVITO_END: NONE or null, `out` is
 * unchanged, so set your default before; MODEL: something else; ARGUMENT. */
AVITO_API int avito_json_int(avito_json_value value, int64_t *out);
AVITO_API int avito_json_bool(avito_json_value value, bool *out);

/* ======================================================================= *
 * >>62 SHOW
 * ======================================================================= *
 *
 * A message as one line for a person; a message and a chat as one line of JSON for a program; the words
 * of enums. All take whatever was decoded.
 */

typedef enum avito_language {
    AVITO_RUSSIAN = 0,
    AVITO_ENGLISH
} avito_language;

/* One line of what a message holds: its text, or in brackets what it is, and what names it: "[фото]",
 * "[объявление] Диван, 4 391 ₽", "[sticker]" for a type that is not known. The words are of `language`.
 * Blanks and line ends are one blank each; control characters, and those that turn the direction of
 * writing, are left out, so that a terminal can show it. What is longer than `cap` is cut between two
 * characters as a person sees them (an emoji of several code points is one) and ends in "…", as does
 * the line of a message with .is_cut. Always NUL-terminated; returns its length, at most cap - 1. Without a
 * message, or a `cap` of 0, 0. */
AVITO_API size_t avito_message_preview(const avito_message *message, avito_language language,
                                       char *out, size_t cap);

/* One line of JSON (RFC 8259, UTF-8, no line end in it), NUL-terminated. The members have the names and
 * forms of the service, so that what was decoded from it decodes to the same message again; what was
 * missing is left out, author_id and content excepted. What this library adds is in one member, `avito`:
 *
 *     class            avito_message_class_word()
 *     is_own, is_system, is_placeholder, is_cut    as in avito_message
 *     author_name, item_title    from `chat`
 *
 * `chat` is the chat of the message, or NULL; it also gives chat_id where the message has none.
 * AVITO_OK; ROOM: nothing was written but a NUL, give *needed bytes; ARGUMENT. `needed` (optional) is the
 * size with the NUL, also after AVITO_OK. `out` may be NULL if `cap` is 0: only to ask for the size. */
AVITO_API int avito_message_json(const avito_message *message, const avito_chat *chat, char *out,
                                 size_t cap, size_t *needed);

/* The same of a chat, `users` never left out. Its last message is written as avito_message_json() does it
 * with the chat, but without chat_id; the chat's own member `avito` has user_id: whose chat it is, left out
 * if 0. */
AVITO_API int avito_chat_json(const avito_chat *chat, int64_t user_id, char *out, size_t cap,
                              size_t *needed);

typedef enum avito_message_class {
    AVITO_CLASS_BUYER = 0,   /* the other side wrote it */
    AVITO_CLASS_OWN,         /* this account wrote it: you, through the API, or a person in the app */
    AVITO_CLASS_SYSTEM,      /* Avito wrote it */
    AVITO_CLASS_PLACEHOLDER, /* hidden, because the tariff lacks the API */
    AVITO_CLASS_DELETED,
    AVITO_CLASS_UNSUPPORTED  /* a type that the API shows no content of, or a new one */
} avito_message_class;

/* The first that fits of: placeholder, deleted, own, system, unsupported (also NULL), buyer. */
AVITO_API avito_message_class avito_classify(const avito_message *message);

/* "buyer", "own", "system", "placeholder", "deleted", "unsupported". */
AVITO_API const char *avito_message_class_word(avito_message_class message_class);

/* The service's words: "appCall", "in", "u2i", "missed", "house". Never NULL; "" for none and unknown: the
 * model has the word beside the constant. */
AVITO_API const char *avito_message_type_word(avito_message_type type);
AVITO_API const char *avito_direction_word(avito_direction direction);
AVITO_API const char *avito_chat_type_word(avito_chat_type chat_type);
AVITO_API const char *avito_call_status_word(avito_call_status status);
AVITO_API const char *avito_location_kind_word(avito_location_kind kind);

/* Ours, for the service has none: "spam", "fraud", "insult", "other"; "not_sent", "sent", "cannot_tell";
 * "none", "null", "bool", "number", "string", "array", "object"; "now", "unread", "since"; "ru", "en" (ISO
 * 639-1). Never NULL; "" for any other value. */
AVITO_API const char *avito_blacklist_reason_word(avito_blacklist_reason reason);
AVITO_API const char *avito_outcome_word(avito_outcome outcome);
AVITO_API const char *avito_json_type_word(avito_json_type type);
AVITO_API const char *avito_inbox_start_word(avito_inbox_start start);
AVITO_API const char *avito_language_word(avito_language language);

#ifdef __cplusplus
}
#endif

#endif /* AVITO_MESSENGER_PARTS_H: end of the interface of the parts */

#if defined(AVITO_MESSENGER_IMPLEMENTATION) && !defined(AVITO_MESSENGER_IMPLEMENTED)
#define AVITO_MESSENGER_IMPLEMENTED

/* ======================================================================= *
 * >>63 TEXT: GRAPHEMES
 * ======================================================================= *
 *
 * Where a text may be cut so that a person does not see it: what belongs to one character. Comes in:
 * bytes, UTF-8 or not. Goes out: lengths in bytes. May not keep anything.
 */

/* The code point of a well-formed sequence of `n` bytes. */
static uint32_t avitoi_text_point(const char *p, unsigned n)
{
    uint32_t point = (n == 1u) ? avitoi_text_byte(*p) : avitoi_text_byte(*p) & (0x7fu >> n);
    unsigned i;
    for (i = 1; i < n; i++) {
        point = point << 6 | (avitoi_text_byte(p[i]) & 0x3fu);
    }
    return point;
}

/* Does this code point only change the one before it? Combining marks of the scripts that are met here
 * (Unicode 15, categories Mn, Me and Mc), variation selectors, joiners, skin tones, tags. */
static bool avitoi_text_extends(uint32_t point)
{
    static const uint16_t ranges[][2] = {
        {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x05bf, 0x05bf}, {0x05c1, 0x05c2},
        {0x05c4, 0x05c5}, {0x05c7, 0x05c7}, {0x0610, 0x061a}, {0x064b, 0x065f}, {0x0670, 0x0670},
        {0x06d6, 0x06dc}, {0x06df, 0x06e4}, {0x06e7, 0x06e8}, {0x06ea, 0x06ed}, {0x0900, 0x0903},
        {0x093a, 0x093c}, {0x093e, 0x094f}, {0x0951, 0x0957}, {0x0962, 0x0963}, {0x0e31, 0x0e31},
        {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1160, 0x11ff}, {0x1ab0, 0x1ace}, {0x1dc0, 0x1dff},
        {0x200c, 0x200d}, {0x20d0, 0x20f0}, {0x2de0, 0x2dff}, {0x302a, 0x302f}, {0x3099, 0x309a},
        {0xa66f, 0xa672}, {0xa674, 0xa67d}, {0xa69e, 0xa69f}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};
    size_t i;
    if (point > 0xffffu) {
        return (point >= 0x1f3fbu && point <= 0x1f3ffu) || (point >= 0xe0020u && point <= 0xe01efu);
    }
    for (i = 0; i < AVITOI_COUNT(ranges) && point >= ranges[i][0]; i++) {
        if (point <= ranges[i][1]) {
            return true;
        }
    }
    return false;
}

/* A regional indicator: two of them are a flag. */
static bool avitoi_text_is_flag(uint32_t point)
{
    return point >= 0x1f1e6u && point <= 0x1f1ffu;
}

/* Is `point` part of the same character as the code point before it? */
static bool avitoi_text_continues(uint32_t before, uint32_t point)
{
    if (before < ' ' || before == 0x7fu) {
        return before == '\r' && point == '\n';
    }
    return avitoi_text_extends(point) ||
           (before == 0x200du && (point >= 0x1f000u || (point >= 0x2190u && point <= 0x3299u)));
}

/* The bytes of the first character of `len`, at least one, as a person sees it: a letter with its
 * accents, a flag, a family of emoji (a part of Unicode's UAX 29). What is malformed is one byte. */
static size_t avitoi_text_grapheme(const char *p, size_t len)
{
    size_t n = avitoi_text_utf8_length(p, len);
    uint32_t before;
    bool half_a_flag;
    if (n == 0 || n > len) {
        return 1;
    }
    before = avitoi_text_point(p, (unsigned)n);
    half_a_flag = avitoi_text_is_flag(before);
    while (n < len) {
        const unsigned more = avitoi_text_utf8_length(p + n, len - n);
        uint32_t point;
        if (more == 0 || more > len - n) {
            break;
        }
        point = avitoi_text_point(p + n, more);
        if (!(half_a_flag && avitoi_text_is_flag(point)) && !avitoi_text_continues(before, point)) {
            break;
        }
        half_a_flag = false;
        before = point;
        n += more;
    }
    return n;
}

/* ======================================================================= *
 * >>64 LISTS
 * ======================================================================= *
 *
 * Calls whose answer is a list: as a whole into the arena, or element by element while it arrives. Both
 * are the same call; the difference is in `collect`. Comes in: a query; later an element, or the end of a
 * page. Goes out: the element, the next page, or one array. May not look at the bytes of an answer.
 */

#define AVITOI_LIST_LIMIT_MAX  100  /* rows of a page */
#define AVITOI_LIST_OFFSET_MAX 1000 /* the last row at which a page may begin */

/* Linked only by programs that read all pages of a list. */
struct avitoi_list_pages {
    void (*begin)(avito_client *c);   /* a page's answer */
    bool (*follows)(avito_client *c); /* after a full one: can the next be reached? */
};

/* Is it a list that is given element by element? */
static bool avitoi_list_streams(const avito_client *c)
{
    return (c->priv.call->flags & AVITOI_ENDPOINT_STREAM) != 0 && !c->priv.collect;
}

static void avitoi_list_begin(avito_client *c)
{
    struct avitoi_json *j = &c->priv.json;
    if (c->priv.all_pages) {
        c->o.priv.pages->begin(c);
    } else {
        avitoi_answer_use_arena(c);
        j->list = &avitoi_json_streams;
    }
    j->raw = (c->priv.want & AVITO_RAW) != 0 ? c->o.priv.raw : NULL;
    j->collect = c->priv.collect;
}

/* A call whose answer is a list: `out` NULL to read it element by element. */
static int avitoi_list_get(avito_client *c, int rc, avito_arena *arena, void *out)
{
    if (rc == AVITO_OK) {
        rc = (arena == NULL) ? AVITO_ERR_ARGUMENT : AVITO_OK;
        c->priv.collect = out != NULL;
        c->priv.json.page_rows = 0; /* of the list before */
    }
    return avitoi_client_start(c, rc, arena, out);
}

/* If no bit of a group is set, the whole group is meant. A bit for a part brings the bit of what the part is
 * in. */
static uint16_t avitoi_list_want(uint32_t want)
{
    want |= (want & AVITO_CHAT_AVATARS) != 0 ? AVITO_CHAT_PROFILES : 0u;
    want |= (want & AVITO_CHAT_PROFILES) != 0 ? AVITO_CHAT_USERS : 0u;
    want |= (want & AVITO_CHAT_ALL) == 0 ? AVITO_CHAT_ALL : 0u;
    want |= (want & (AVITO_MESSAGE_ALL | AVITO_MESSAGE_BARE)) == 0 ? AVITO_MESSAGE_ALL : 0u;
    want |= (want & AVITO_MESSAGE_IMAGES) != 0 ? AVITO_MESSAGE_CONTENTS : 0u;
    return (uint16_t)want;
}

/* Checks and notes the options that both lists with pages have. */
static int avitoi_list_page(avito_client *c, int limit, int offset, bool all_pages, uint32_t want,
                            size_t cut_text_at)
{
    if (limit < 0 || limit > AVITOI_LIST_LIMIT_MAX || offset < 0 || offset > AVITOI_LIST_OFFSET_MAX) {
        return AVITO_ERR_ARGUMENT;
    }
    if ((want & AVITO_RAW) != 0 && c->o.priv.raw == NULL) {
        return AVITO_ERR_OPTION_RAW;
    }
    if (all_pages && c->o.priv.pages == NULL) {
        return AVITO_ERR_OPTION_PAGES;
    }
    c->priv.limit = (uint8_t)(limit == 0 ? AVITOI_LIST_LIMIT_MAX : limit);
    c->priv.offset = (uint16_t)offset;
    c->priv.all_pages = all_pages;
    c->priv.want = avitoi_list_want(want);
    c->priv.cut_at = cut_text_at;
    return AVITO_OK;
}

/* A list of chats: `out` NULL to read it element by element. */
static int avitoi_list_of_chats(avito_client *c, void *out, int64_t user_id,
                                const avito_chats_query *query, avito_arena *arena)
{
    const avito_chats_query *q = query != NULL ? query : &avitoi_answer_nothing.chats;
    struct avitoi_client_args *args;
    int rc = avitoi_client_prepare(c, &avitoi_endpoint_get_chats, user_id, NULL, NULL);
    if (rc == AVITO_OK && (q->chat_types > 7u || (q->item_ids == NULL && q->item_ids_count > 0))) {
        rc = AVITO_ERR_ARGUMENT;
    }
    if (rc == AVITO_OK) {
        args = &c->priv.args;
        args->as.chats.item_ids = q->item_ids;
        args->as.chats.item_ids_count = q->item_ids_count;
        args->as.chats.chat_types = q->chat_types;
        args->as.chats.repeat_item_ids = q->repeat_item_ids;
        args->as.chats.unread_only = q->unread_only;
        rc = avitoi_list_page(c, q->limit, q->offset, q->all_pages, q->want, q->cut_text_at);
    }
    return avitoi_list_get(c, rc, arena, out);
}

static int avitoi_list_of_messages(avito_client *c, void *out, int64_t user_id, const char *chat_id,
                                   const avito_messages_query *query, avito_arena *arena)
{
    const avito_messages_query *q = query != NULL ? query : &avitoi_answer_nothing.messages;
    int rc = avitoi_client_prepare(c, &avitoi_endpoint_get_messages, user_id, chat_id, NULL);
    if (rc == AVITO_OK) {
        rc = avitoi_list_page(c, q->limit, q->offset, q->all_pages, q->want, q->cut_text_at);
    }
    return avitoi_list_get(c, rc, arena, out);
}

static int avitoi_list_of_voices(avito_client *c, void *out, int64_t user_id,
                                 const char *const *voice_ids, size_t count, avito_arena *arena)
{
    size_t i;
    int rc = avitoi_client_prepare(c, &avitoi_endpoint_get_voice_files, user_id, NULL, NULL);
    if (rc == AVITO_OK) {
        rc = (voice_ids == NULL || count == 0) ? AVITO_ERR_ARGUMENT : AVITO_OK;
        c->priv.args.as.many.items = voice_ids;
        c->priv.args.as.many.count = count;
    }
    for (i = 0; rc == AVITO_OK && i < count; i++) {
        rc = avitoi_client_check_id(voice_ids[i]);
    }
    return avitoi_list_get(c, rc, arena, out);
}

static int avitoi_list_of_subscriptions(avito_client *c, avito_arena *arena, void *out)
{
    const int rc =
        avitoi_client_prepare(c, &avitoi_endpoint_get_webhook_subscriptions, 0, NULL, NULL);
    return avitoi_list_get(c, rc, arena, out);
}

/* ---- as a whole ---- */

AVITO_API int avito_get_chats(avito_client *client, int64_t user_id, const avito_chats_query *query,
                              avito_arena *arena, avito_chats *out)
{
    return out == NULL ? avitoi_client_refuse(client, AVITO_ERR_ARGUMENT)
                       : avitoi_list_of_chats(client, out, user_id, query, arena);
}

AVITO_API int avito_get_messages(avito_client *client, int64_t user_id, const char *chat_id,
                                 const avito_messages_query *query, avito_arena *arena,
                                 avito_messages *out)
{
    return out == NULL ? avitoi_client_refuse(client, AVITO_ERR_ARGUMENT)
                       : avitoi_list_of_messages(client, out, user_id, chat_id, query, arena);
}

AVITO_API int avito_get_voice_files(avito_client *client, int64_t user_id,
                                    const char *const *voice_ids, size_t count, avito_arena *arena,
                                    avito_voice_files *out)
{
    return out == NULL ? avitoi_client_refuse(client, AVITO_ERR_ARGUMENT)
                       : avitoi_list_of_voices(client, out, user_id, voice_ids, count, arena);
}

AVITO_API int avito_get_webhook_subscriptions(avito_client *client, avito_arena *arena,
                                              avito_subscriptions *out)
{
    return out == NULL ? avitoi_client_refuse(client, AVITO_ERR_ARGUMENT)
                       : avitoi_list_of_subscriptions(client, arena, out);
}

/* ---- element by element ---- */

AVITO_API int avito_list_chats(avito_client *client, int64_t user_id,
                               const avito_chats_query *query, avito_arena *arena)
{
    return avitoi_list_of_chats(client, NULL, user_id, query, arena);
}

AVITO_API int avito_list_messages(avito_client *client, int64_t user_id, const char *chat_id,
                                  const avito_messages_query *query, avito_arena *arena)
{
    return avitoi_list_of_messages(client, NULL, user_id, chat_id, query, arena);
}

AVITO_API int avito_list_voice_files(avito_client *client, int64_t user_id,
                                     const char *const *voice_ids, size_t count, avito_arena *arena)
{
    return avitoi_list_of_voices(client, NULL, user_id, voice_ids, count, arena);
}

AVITO_API int avito_list_subscriptions(avito_client *client, avito_arena *arena)
{
    return avitoi_list_of_subscriptions(client, arena, NULL);
}

AVITO_API bool avito_list_open(const avito_client *client)
{
    /* A chat that the lane itself reads back is not the caller's list, nor is one of the inbox. */
    return avitoi_machine_is_ready(client) && client->priv.call != NULL &&
           avitoi_list_streams(client) && client->priv.judge == NULL && client->priv.owner == NULL;
}

AVITO_API bool avito_list_has_more(const avito_client *client)
{
    return client != NULL && client->priv.has_more;
}

AVITO_API int avito_list_offset(const avito_client *client)
{
    const struct avitoi_json *j;
    if (client == NULL) {
        return 0;
    }
    j = &client->priv.json; /* a row is counted when it begins: one in work was not given */
    return client->priv.offset + client->priv.rows_before + j->page_rows -
           (j->page_rows > 0 && (j->level > 2 || j->bad != 0) ? 1 : 0);
}

/* Enters a lane whose list is open. The caller is done with the row, and no deadline ran meanwhile. */
static int avitoi_list_enter(avito_client *c)
{
    const int rc = avitoi_machine_enter(c);
    if (rc != AVITO_OK || !avito_list_open(c)) {
        return rc != AVITO_OK ? rc : (int)AVITO_ERR_IDLE;
    }
    c->priv.inside = true;
    avitoi_machine_tick(c);
    if (c->priv.state == AVITOI_CALL_ROW) {
        c->priv.total_left_ms = c->o.total_timeout_ms;
        avitoi_exchange_alive(c);
    }
    return AVITO_OK;
}

/* Goes on to the next element. The error of the one before was reported, and is no error of the list. */
static avitoi_call_result avitoi_list_go_on(avito_client *c)
{
    c->error.code = AVITO_OK;
    c->error.needed = 0;
    c->error.text[0] = '\0';
    return avitoi_call_move(c, AVITOI_CALL_EV_NEXT);
}

/* The next element into `out`; on a lane that may not wait also what carries the list on. */
static int avitoi_list_next(avito_client *c, const struct avitoi_endpoint *call, void *out)
{
    int rc = out == NULL ? (int)AVITO_ERR_ARGUMENT : avitoi_list_enter(c);
    if (rc != AVITO_OK) {
        return rc;
    }
    rc = AVITO_ERR_IDLE;
    if (c->priv.call == call && !c->priv.abandoned) {
        c->priv.out = out;
        if (c->priv.state >= AVITOI_CALL_BODY &&
            c->priv.model) { /* not while a refusal or a token is read */
            c->priv.json.out = out;
        }
        if (c->priv.state == AVITOI_CALL_ROW) {
            (void)avitoi_list_go_on(c);
        }
        rc = avitoi_machine_run(c);
    }
    return avitoi_machine_leave(c, rc);
}

AVITO_API int avito_next_chat(avito_client *client, avito_chat *out)
{
    return avitoi_list_next(client, &avitoi_endpoint_get_chats, out);
}

AVITO_API int avito_next_message(avito_client *client, avito_message *out)
{
    return avitoi_list_next(client, &avitoi_endpoint_get_messages, out);
}

AVITO_API int avito_next_voice_file(avito_client *client, avito_voice_file *out)
{
    return avitoi_list_next(client, &avitoi_endpoint_get_voice_files, out);
}

AVITO_API int avito_next_subscription(avito_client *client, avito_subscription *out)
{
    return avitoi_list_next(client, &avitoi_endpoint_get_webhook_subscriptions, out);
}

AVITO_API int avito_list_end(avito_client *client, size_t drain_max)
{
    avito_client *c = client;
    int rc = avitoi_list_enter(c);
    bool refreshes;
    if (rc != AVITO_OK) {
        return rc == AVITO_ERR_IDLE ? (int)AVITO_OK : rc;
    }
    refreshes = (c->priv.request->flags & AVITOI_ENDPOINT_SPENDS) != 0; /* what that brings is taken */
    c->priv.out = NULL;
    c->priv.abandoned = true;
    if (c->priv.state < AVITOI_CALL_SEND || (c->priv.state < AVITOI_CALL_BODY && !refreshes)) {
        (void)avitoi_machine_cancel_lane(c); /* its answer has not begun */
        c->error.code = AVITO_OK;
    } else {
        if (!refreshes && c->priv.state != AVITOI_CALL_DRAIN) {
            c->priv.cut_at = drain_max;
            (void)avitoi_call_move(c, AVITOI_CALL_EV_DRAIN);
        }
        rc = avitoi_machine_run(c);
    }
    return avitoi_machine_leave(c, rc);
}

/* ---- the answer ---- */

/* The service does not say which chat a message is of: the caller knows. Of the lists only that of messages is
 * asked for by a chat's id. */
static void avitoi_list_name_chat(const avito_client *c, void *element)
{
    if (c->priv.args.chat_id != NULL) {
        ((avito_message *)element)->chat_id = avitoi_text_of(c->priv.args.chat_id);
    }
}

/* One element more, or an error that is only the element's. */
static int avitoi_list_element(avito_client *c, int came)
{
    (void)avitoi_call_move(c, AVITOI_CALL_EV_ELEMENT);
    if (came == AVITOI_JSON_ELEMENT) {
        came = AVITO_OK;
        avitoi_answer_note_peak(c);
        avitoi_list_name_chat(c, c->priv.out);
    } else {
        const bool large = came == AVITO_ERR_ARENA;
        if (large) {
            avitoi_answer_note_needed(c);
        }
        if (large || c->priv.json.culprit[0] == '\0') { /* a pair's value has no name but the pair's own */
            avitoi_error_quote(c, c->priv.json.id);
        } else {
            avitoi_error_set_key(c, c->priv.json.culprit);
        }
        avitoi_error_hide_secrets(c); /* an id is whatever the service says */
    }
    c->error.code = came;
    avitoi_answer_heed_tariff(c);
    return came;
}

/* Whether another page is to be read: the server says so, or it was full and the server says
 * nothing; and the API lets it be reached. */
static bool avitoi_list_page_follows(avito_client *c)
{
    const struct avitoi_json *j = &c->priv.json;
    const bool full = c->priv.limit > 0 && j->page_rows >= c->priv.limit;
    c->priv.has_more = j->more > 0 || (j->more == 0 && full);
    return c->priv.has_more && c->priv.all_pages && full && c->o.priv.pages->follows(c);
}

/* The two lists that have pages are filled as one struct. */
AVITOI_ASSERT(lists_are_alike, sizeof(avito_chats) == sizeof(avito_messages) &&
                                   offsetof(avito_chats, lacked) == offsetof(avito_messages, lacked));

/* The end of a list that is read whole: its elements, which lie in reverse order at the high end, become
 * one array at the low end. */
static int avitoi_list_collect(avito_client *c)
{
    struct avitoi_json *j = &c->priv.json;
    const size_t size = avitoi_schema_child(c->priv.call->answer, 0)->size;
    struct avitoi_schema_items list;
    char *items;
    size_t i;
    if (j->rows == 0 && j->culprit != NULL) { /* every row was left out */
        return AVITO_ERR_MODEL;
    }
    items = avitoi_json_low(j, j->rows * size);
    if (items == NULL) {
        return AVITO_ERR_ARENA;
    }
    for (i = 0; i < j->rows; i++) {
        memcpy(items + i * size, j->mem.high_end - (i + 1u) * avitoi_arena_align(size), size);
        avitoi_list_name_chat(c, items + i * size);
    }
    list.items = (j->rows > 0) ? items : NULL;
    list.count = j->rows;
    memcpy(c->priv.out, &list, sizeof list);
    if (c->priv.call->answer->count > 1) { /* the lists that have pages */
        avito_chats *out = (avito_chats *)c->priv.out;
        out->has_more = c->priv.has_more;
        out->skipped = j->skipped;
        out->lacked = j->culprit; /* of the first one skipped */
    }
    return AVITO_OK;
}

static avitoi_call_result avitoi_list_over(avito_client *c)
{
    if (!avitoi_answer_came(&c->priv.json)) {
        return AVITO_ERR_MODEL;
    }
    if (avitoi_list_page_follows(c)) {
        return avitoi_call_repeat(c, 0);
    }
    return c->priv.collect ? avitoi_list_collect(c) : AVITO_END;
}

static avitoi_call_result avitoi_list_on_drain(avito_client *c)
{
    const int rc = (c->priv.span > 0) ? AVITOI_CALL_MOVED : avitoi_exchange_next_span(c);
    if (rc == AVITO_AGAIN && c->priv.cut_at > 0) {
        return rc;
    }
    if (rc != AVITOI_CALL_MOVED || c->priv.span > c->priv.cut_at) {
        if (rc != AVITOI_BODY_COMPLETE || !avitoi_answer_keeps_connection(c)) {
            avitoi_call_disconnect(c);
        }
        return AVITO_OK;
    }
    c->priv.cut_at -= c->priv.span;
    c->priv.pos += c->priv.span;
    c->priv.span = 0;
    return AVITOI_CALL_MOVED;
}

/* ---- all pages ---- */

#define AVITOI_LIST_HISTORY 30u

/* Hashes of the last elements of a list, at the beginning of the caller's arena: rows slide between pages. */
struct avitoi_list_history {
    uint32_t next, count;
    uint64_t hashes[AVITOI_LIST_HISTORY];
};
AVITOI_ASSERT(list_history_is_aligned, sizeof(struct avitoi_list_history) % AVITOI_ARENA_ALIGN == 0);

/* Was the present element given before, or, if it is bad, reported? From now on it counts as such. An element
 * that was reported is still given if it comes again and is good: a bad one is noted by another hash. */
static bool avitoi_list_repeats(struct avitoi_json *j, bool bad)
{
    struct avitoi_list_history *history = (struct avitoi_list_history *)(void *)j->mem.low_base;
    uint64_t hash, known;
    uint32_t i;
    if (j->id.ptr == NULL) {
        return false;
    }
    hash = avitoi_text_hash(j->id.ptr, j->id.len);
    known = bad ? ~hash : hash;
    for (i = 0; i < history->count; i++) {
        if (history->hashes[i] == hash || history->hashes[i] == known) {
            return true;
        }
    }
    history->hashes[history->next] = known;
    history->next = (history->next + 1u) % AVITOI_LIST_HISTORY;
    history->count += (history->count < AVITOI_LIST_HISTORY) ? 1u : 0u;
    return false;
}

/* An element that was given before is dropped. */
static void avitoi_list_done(struct avitoi_json *j, const char *model)
{
    if (avitoi_list_repeats(j, false)) {
        j->mem.low = j->element_low;
        j->mem.high -= avitoi_arena_align(j->top->schema->size);
        return;
    }
    avitoi_json_element_done(j, model);
}

/* An element that breaks the model is reported once, and not at all if it was given before. */
static void avitoi_list_skip_element(struct avitoi_json *j, int code)
{
    const bool known = avitoi_list_repeats(j, true);
    if (known && j->skipped == 0) {
        j->culprit = NULL;
    }
    avitoi_json_skip_element(j, known ? AVITO_OK : code);
}

static const struct avitoi_json_list avitoi_list_remembers = {
    avitoi_json_element_begins, avitoi_list_done, avitoi_list_skip_element, sizeof(struct avitoi_list_history)};

/* The pages of a list share the history of its elements. A list that is collected also continues in memory
 * where the page before ended. */
static void avitoi_list_begin_page(avito_client *c)
{
    struct avitoi_json *j = &c->priv.json;
    const struct avitoi_arena_ends mem = j->mem;
    const uint32_t rows = j->rows;
    const uint16_t skipped = j->skipped;
    const char *const culprit = j->culprit;
    const bool measuring = j->measuring;
    char *history;
    avitoi_answer_use_arena(c);
    history = avitoi_json_low(j, sizeof(struct avitoi_list_history));
    j->list = history != NULL ? &avitoi_list_remembers : &avitoi_json_streams;
    if (c->priv.rows_before == 0) {
        if (history != NULL) {
            memset(history, 0, sizeof(struct avitoi_list_history));
        }
    } else if (c->priv.collect) {
        j->mem = mem;
        j->rows = rows;
        j->skipped = skipped;
        j->culprit = culprit;
        j->measuring = measuring;
    }
}

/* Rows by which pages overlap: a row that is removed meanwhile moves later ones up. */
#define AVITOI_LIST_PAGE_OVERLAP 4u

static bool avitoi_list_turns_page(avito_client *c)
{
    const uint16_t limit = c->priv.limit;
    const uint32_t page = c->priv.rows_before + (uint32_t)limit -
                          (limit > 2u * AVITOI_LIST_PAGE_OVERLAP ? AVITOI_LIST_PAGE_OVERLAP : 0u);
    if (c->priv.offset + page > AVITOI_LIST_OFFSET_MAX) {
        return false;
    }
    c->priv.rows_before = (uint16_t)page;
    c->priv.json.page_rows = 0;
    c->priv.retried = false; /* a token that is refused hours later may be replaced, too */
    return true;
}

AVITO_API void avito_enable_pages(avito_client_options *options)
{
    static const struct avitoi_list_pages part = {avitoi_list_begin_page, avitoi_list_turns_page};
    if (options != NULL) {
        options->priv.pages = &part;
    }
}

/* ======================================================================= *
 * >>65 ERROR TEXTS
 * ======================================================================= *
 *
 * Names, sentences and remedies of results, for people. Comes in: a number. Goes out: a text that stays.
 * May not be needed by the core: a device without a screen does not link it.
 */

/* One array per kind of text, each entry ended by its NUL: what a program never asks for is not
 * linked (string literals share one section, which the linker keeps whole), and no pointers are kept.
 * Each array stays under the 4095 bytes that C99 promises for a string literal. */
#define AVITOI_ERROR_CODE_(name, value, text, remedy)   (value),
#define AVITOI_ERROR_NAME_(name, value, text, remedy)   #name "\0"
#define AVITOI_ERROR_TEXT_(name, value, text, remedy)   text "\0"
#define AVITOI_ERROR_REMEDY_(name, value, text, remedy) remedy "\0"
static const int16_t avitoi_error_codes[] = {AVITO_ERRORS(AVITOI_ERROR_CODE_) AVITO_OK, AVITO_AGAIN,
                                             AVITO_END};
static const char avitoi_error_names[] =
    AVITO_ERRORS(AVITOI_ERROR_NAME_) "OK\0AGAIN\0END\0UNKNOWN";
static const char avitoi_error_texts[] =
    AVITO_ERRORS(AVITOI_ERROR_TEXT_) "done\0not finished\0the list is over\0no error of this library";
static const char avitoi_error_remedies[] = AVITO_ERRORS(AVITOI_ERROR_REMEDY_)
    "go on\0wait for avito_wants(), then avito_step()\0go on\0look where it comes from";
#undef AVITOI_ERROR_CODE_
#undef AVITOI_ERROR_NAME_
#undef AVITOI_ERROR_TEXT_
#undef AVITOI_ERROR_REMEDY_

/* The entry for `code`, or the last one. An empty entry stands for the one before it. */
static const char *avitoi_error_entry(const char *entries, int code)
{
    const char *entry = entries;
    size_t i;
    for (i = 0; i < AVITOI_COUNT(avitoi_error_codes) && avitoi_error_codes[i] != code; i++) {
        entries += strlen(entries) + 1;
        entry = (*entries != '\0') ? entries : entry;
    }
    return entry;
}

AVITO_API const char *avito_error_name(int code)
{
    return avitoi_error_entry(avitoi_error_names, code);
}

AVITO_API const char *avito_error_text(int code)
{
    return avitoi_error_entry(avitoi_error_texts, code);
}

AVITO_API const char *avito_error_remedy(int code)
{
    return avitoi_error_entry(avitoi_error_remedies, code);
}

/* ======================================================================= *
 * >>66 AUTHORIZATION
 * ======================================================================= *
 *
 * A person allows the application to use their account. With AVITO_TINY 1 only this chapter links the
 * renewal by a refresh token. Comes in: the application's id, later the code that the person's browser
 * brings. Goes out: a URL, and a pair of tokens. May not read an answer: TOKENS does that.
 */

/* The redirect address for which the code was issued must be named again (RFC 6749, 4.1.3). */
static void avitoi_authorize_write_redirect(struct avitoi_writer *w, const avito_client *c, char which)
{
    (void)which;
    if (c->priv.args.as.redirect_uri != NULL) {
        avitoi_write_text(w, "&redirect_uri=");
        avitoi_write_percent(w, c->priv.args.as.redirect_uri);
    }
}

static void avitoi_authorize_parameter(struct avitoi_writer *w, const char *name, const char *value)
{
    if (value != NULL) {
        avitoi_write_text(w, name);
        avitoi_write_percent(w, value);
    }
}

AVITO_API int avito_consent_url(const avito_account *account, const avito_consent *consent, char *out,
                                size_t cap, size_t *out_len)
{
    struct avitoi_writer w;
    memset(&w, 0, sizeof w);
    if (account == NULL || account->o.client_id == NULL || consent == NULL ||
        consent->scope == NULL || (out == NULL && cap > 0)) {
        return AVITO_ERR_ARGUMENT;
    }
    w.out = out;
    w.cap = (cap > 0) ? cap - 1u : 0;
    avitoi_write_text(&w, "https://avito.ru/oauth?response_type=code");
    avitoi_write_text(&w, consent->pro_users_flow ? "&pro_users_flow=true" : "");
    avitoi_authorize_parameter(&w, "&client_id=", account->o.client_id);
    avitoi_authorize_parameter(&w, "&scope=", consent->scope);
    avitoi_authorize_parameter(&w, "&redirect_uri=", consent->redirect_uri);
    avitoi_authorize_parameter(&w, "&state=", consent->state);
    if (out_len != NULL) {
        *out_len = (size_t)w.total + (w.total < cap ? 0u : 1u);
    }
    if (w.total >= cap) {
        return AVITO_ERR_ROOM;
    }
    out[w.len] = '\0';
    return AVITO_OK;
}

AVITO_API int avito_authorize_url(const avito_account *account, const char *scope,
                                  const char *state, char *out, size_t cap, size_t *out_len)
{
    avito_consent consent = AVITOI_ZERO;
    consent.scope = scope;
    consent.state = state;
    return avito_consent_url(account, &consent, out, cap, out_len);
}

/* From now on the account renews by its refresh token. Other lanes may be reading that, hence the lock. */
static int avitoi_authorize_start(avito_client *client, int rc, avito_token *out)
{
    if (rc == AVITO_OK) {
        avitoi_account_lock(client->account);
        client->account->priv.renewal = &avitoi_endpoint_refresh_token;
        avitoi_account_unlock(client->account);
    }
    return avitoi_client_start(client, rc, NULL, out);
}

AVITO_API int avito_consent_exchange(avito_client *client, const avito_consent *consent,
                                     const char *code, avito_token *out)
{
    int rc = avitoi_client_prepare(client, &avitoi_endpoint_exchange_code, 0, NULL, code);
    if (rc == AVITO_OK && (code == NULL || consent == NULL)) {
        rc = AVITO_ERR_ARGUMENT;
    }
    if (rc == AVITO_OK && !avitoi_text_is_word(code)) {
        rc = AVITO_ERR_ID;
    }
    if (rc == AVITO_OK) {
        client->priv.args.as.redirect_uri = consent->redirect_uri;
    }
    return avitoi_authorize_start(client, rc, out);
}

AVITO_API int avito_exchange_code(avito_client *client, const char *code, avito_token *out)
{
    static const avito_consent none = {NULL, NULL, NULL, false};
    return avito_consent_exchange(client, &none, code, out);
}

AVITO_API int avito_account_by_consent(avito_account *account)
{
    if (account == NULL || account->o.clock_ms == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    avitoi_account_lock(account);
    account->priv.renewal = &avitoi_endpoint_refresh_token;
    account->priv.by_consent = true;
    avitoi_account_unlock(account);
    return AVITO_OK;
}

AVITO_API int avito_refresh_token(avito_client *client, avito_token *out)
{
    const int rc = avitoi_client_prepare(client, &avitoi_endpoint_refresh_token, 0, NULL, NULL);
    return avitoi_authorize_start(client, rc, out);
}

/* ======================================================================= *
 * >>67 HEADER LINES
 * ======================================================================= *
 *
 * Adds lines to a request that the API does not need: who asks, and what a gateway on the way wants to see.
 * Comes in: the program's lines. Goes out: the same lines, in the head of a request. May not replace a line
 * that the request writer makes.
 */

static const char avitoi_lines_agent[] = "avito_messenger/" AVITO_VERSION;

/* Names that a program may not use. The header writes such lines itself, or they would change how a request or
 * an answer is framed. */
static const char *const avitoi_lines_ours[] = {
    "accept-encoding", "authorization", "connection", "content-length",    "content-type", "expect",
    "host",            "te",            "trailer",    "transfer-encoding", "upgrade",      "user-agent"};

/* How long the name is that a line begins with. */
static size_t avitoi_lines_name(const char *line)
{
    size_t n = 0;
    while (avitoi_text_is_http_token((unsigned char)line[n])) {
        n++;
    }
    return n;
}

/* The text after the colon, without the blanks around it. */
static avito_str avitoi_lines_value(const char *line)
{
    avito_str value = avitoi_text_of(line + avitoi_lines_name(line) + 1u);
    avitoi_text_trim(&value);
    return value;
}

/* Whether a line of a head may hold all of it. */
static bool avitoi_lines_is_text(const char *text)
{
    while (*text != '\0' && avitoi_text_is_http_text((unsigned char)*text)) {
        text++;
    }
    return *text == '\0';
}

/* Whether the line is "Name: value", and the name is none of ours. */
static bool avitoi_lines_is_good(const char *line)
{
    const size_t n = line == NULL ? 0 : avitoi_lines_name(line);
    size_t i, k;
    if (n == 0 || line[n] != ':' || !avitoi_lines_is_text(line)) {
        return false;
    }
    for (i = 0; i < AVITOI_COUNT(avitoi_lines_ours); i++) {
        const char *ours = avitoi_lines_ours[i];
        for (k = 0; k < n && avitoi_text_lower(line[k]) == ours[k]; k++) {
        }
        if (k == n && ours[n] == '\0') {
            return false;
        }
    }
    return true;
}

/* An empty name of the program leaves its line out. */
static void avitoi_lines_write(struct avitoi_writer *w, const avito_headers *headers)
{
    const char *agent = headers->user_agent != NULL ? headers->user_agent : avitoi_lines_agent;
    size_t i;
    if (*agent != '\0') {
        avitoi_write_text(w, "\r\nUser-Agent: ");
        avitoi_write_text(w, agent);
    }
    for (i = 0; i < headers->count; i++) {
        avitoi_write_text(w, "\r\n");
        avitoi_write_text(w, headers->lines[i]);
    }
}

AVITO_API int avito_set_headers(avito_client_options *options, avito_headers *headers, size_t *bad)
{
    static const avito_headers by_default = {NULL, NULL, 0, {avitoi_lines_write, avitoi_lines_value}};
    size_t i;
    if (bad != NULL) {
        *bad = 0;
    }
    if (options == NULL || (headers != NULL && headers->lines == NULL && headers->count > 0)) {
        return AVITO_ERR_ARGUMENT;
    }
    if (headers == NULL) {
        options->priv.headers = &by_default;
        return AVITO_OK;
    }
    for (i = 0; i < headers->count && avitoi_lines_is_good(headers->lines[i]); i++) {
    }
    if (i < headers->count || (headers->user_agent != NULL && !avitoi_lines_is_text(headers->user_agent))) {
        if (bad != NULL) {
            *bad = i;
        }
        return AVITO_ERR_OPTION_HEADERS;
    }
    headers->priv = by_default.priv;
    options->priv.headers = headers;
    return AVITO_OK;
}

/* ======================================================================= *
 * >>68 SEVERAL LANES
 * ======================================================================= *
 *
 * Lanes that share an account: one fetches the token, the others wait for it, and no lane reads the
 * memory of a token that was replaced twice. The core reaches this chapter through account.o.priv.lanes.
 * Comes in: a lane. Goes out: whether it has the duty, or waits. May not fetch the token itself.
 */

/* Waits for the lane that has the duty to fetch or save a token, if one has it. */
static int avitoi_lanes_wait_for_duty(avito_client *c)
{
    const avito_account *a = c->account;
    if (a->priv.renewer != NULL && a->priv.renewer != c) {
        c->priv.refusals = c->priv.waiting ? c->priv.refusals : a->priv.refusals;
        c->priv.waiting = true;
        return AVITO_AGAIN;
    }
    if (c->priv.waiting && a->priv.refusals != c->priv.refusals &&
        (c->priv.call->flags & AVITOI_ENDPOINT_TOKEN) == 0) {
        return avitoi_token_refusal(a); /* the answer to the lane that we waited for holds for us */
    }
    return AVITO_OK;
}

/* Whether another lane has to move first. Once it has resigned, only the rate is left to wait for. */
static bool avitoi_lanes_waits(const avito_client *c)
{
    bool busy;
    avitoi_account_lock(c->account);
    busy = c->account->priv.renewer != NULL;
    avitoi_account_unlock(c->account);
    return c->priv.waiting && busy;
}

/* Under the lock: two renewals later, or while the second is read, the memory of this request's token is
 * used again. */
static bool avitoi_lanes_token_replaced(const avito_client *c)
{
    const avito_account *a = c->account;
    const uint32_t renewals = a->priv.epoch - c->priv.epoch;
    return (c->priv.request->flags & AVITOI_ENDPOINT_TOKEN) == 0 &&
           renewals > (a->priv.renewer != NULL ? 0u : 1u);
}

static const struct avitoi_call_lanes avitoi_lanes_part = {
    avitoi_lanes_wait_for_duty, avitoi_lanes_waits, avitoi_lanes_token_replaced};

AVITO_API void avito_enable_lanes(avito_account_options *options)
{
    if (options != NULL) {
        options->priv.lanes = &avitoi_lanes_part;
    }
}

/* ======================================================================= *
 * >>69 TOKEN STORE
 * ======================================================================= *
 *
 * Tokens from and to the application: .load_token once, before the first request; .save_token before a
 * new token is used, and again until it has worked. Comes in: a token. Goes out: the same token, copied,
 * or the hook's error. May not be called under the lock, except for load_token.
 */

/* Seconds for which a stored token is good. With a wall clock its own expiry counts; without, the server's
 * refusal will tell. */
static uint32_t avitoi_token_store_lifetime(const avito_account *a, const avito_token *token)
{
    const int64_t now = a->o.unix_time != NULL ? a->o.unix_time(a->o.ctx) : 0;
    if (token->access_token.len == 0) {
        return 0;
    }
    return token->expires_at > 0 && now > 0 ? avitoi_token_lifetime(token->expires_at - now)
           : token->expires_in > 0          ? avitoi_token_lifetime(token->expires_in)
                                            : AVITOI_TOKEN_LIFE_S;
}

/* What is stored, if this account may use it. */
static int avitoi_token_store_ask(avito_account *a, avito_token *token)
{
    const int rc = a->o.load_token(a->o.ctx, token);
    return rc == AVITO_OK && a->priv.by_consent && token->refresh_token.len == 0 ? (int)AVITO_END : rc;
}

/* Asks the application for a stored token, until it has answered. */
static int avitoi_token_store_load(avito_client *c)
{
    avito_account *a = c->account;
    avito_token token;
    size_t room;
    char *at = avitoi_token_room(a, &room);
    int rc;
    if (a->priv.loaded || a->o.load_token == NULL) {
        return AVITO_END;
    }
    memset(&token, 0, sizeof token);
    a->priv.renewal = &avitoi_endpoint_refresh_token;
    rc = avitoi_token_store_ask(a, &token);
    a->priv.loaded = rc == AVITO_END && !a->priv.by_consent; /* the person may consent meanwhile */
    if (rc == AVITO_END) {
        return rc;
    }
    if (rc != AVITO_OK) {
        c->error.detail = rc;
        return AVITO_ERR_HOOK;
    }
    if (!avitoi_token_copy(&token.access_token, &at, &room) ||
        !avitoi_token_copy(&token.refresh_token, &at, &room)) {
        return avitoi_token_no_room(c, token.access_token.len, token.refresh_token.len);
    }
    if (!avitoi_token_is_legal(token.access_token)) {
        return AVITO_ERR_HOOK;
    }
    avitoi_token_use(a, &token, avitoi_token_store_lifetime(a, &token), true);
    a->priv.loaded = true;
    return AVITO_OK;
}

/* Before a renewal: another program may have renewed the token that we share with it, and stored its own.
 * False: what is stored is what we have, or expires within `margin` seconds, or does not say when. */
static bool avitoi_token_store_load_newer(avito_account *a, uint32_t margin)
{
    avito_token token;
    size_t room;
    char *at;
    uint32_t lifetime_s;
    memset(&token, 0, sizeof token);
    if (a->o.load_token == NULL || a->o.unix_time == NULL ||
        avitoi_token_store_ask(a, &token) != AVITO_OK || token.expires_at <= 0) {
        return false;
    }
    lifetime_s = avitoi_token_store_lifetime(a, &token);
    if (lifetime_s <= margin || !avitoi_token_is_legal(token.access_token) || /* 0 without a token */
        avito_str_equal(token.access_token, a->priv.access)) {
        return false;
    }
    at = avitoi_token_room(a, &room); /* not earlier: with one copy it forgets the token compared above */
    if (!avitoi_token_copy(&token.access_token, &at, &room) ||
        !avitoi_token_copy(&token.refresh_token, &at, &room)) {
        return false;
    }
    a->priv.renewal = &avitoi_endpoint_refresh_token;
    avitoi_token_use(a, &token, lifetime_s, true);
    return true;
}

/* The hook, if it is set. */
static int avitoi_token_store_hand_over(avito_client *c, const avito_token *token)
{
    const avito_account *a = c->account;
    c->error.detail = a->o.save_token != NULL ? a->o.save_token(a->o.ctx, token) : AVITO_OK;
    return c->error.detail;
}

AVITOI_APART static avitoi_call_result avitoi_token_store_save_again(avito_client *c)
{
    avito_token token;
    memset(&token, 0, sizeof token);
    token.expires_in = avitoi_token_left(c->account);
    return avitoi_token_save(c, &token);
}

static const struct avitoi_token_store avitoi_token_store_part = {
    avitoi_token_store_load, avitoi_token_store_load_newer, avitoi_token_store_hand_over,
    avitoi_token_store_save_again};

AVITO_API void avito_enable_token_store(avito_account_options *options)
{
    if (options != NULL) {
        options->priv.store = &avitoi_token_store_part;
    }
}

/* ======================================================================= *
 * >>70 RATE
 * ======================================================================= *
 *
 * When the next request may go: the account's gate, what the server asked for, and the pause before a
 * failed call is begun again. Comes in: a response head, the clock. Goes out: milliseconds. May not wait.
 */

/* Seconds that the server wants us to wait; 0: it does not say. A date counts from the server's own
 * clock, or from ours if the answer has none, or is a success, where it usually is not read. */
static uint32_t avitoi_rate_asked_pause(const avito_client *c)
{
    const struct avitoi_head *h = &c->priv.json.as.before.head;
    const avito_account *a = c->account;
    int64_t now = h->date;
    if (h->retry_date == 0) {
        return h->retry_after_s;
    }
    if (now == 0 && a->o.unix_time != NULL) {
        now = a->o.unix_time(a->o.ctx);
    }
    if (now <= 0 || h->retry_date <= now) {
        return 0;
    }
    return (h->retry_date - now > AVITOI_HEAD_RETRY_MAX_S) ? AVITOI_HEAD_RETRY_MAX_S
                                                           : (uint32_t)(h->retry_date - now);
}

static int avitoi_rate_gate_left(const avito_account *a)
{
    const uint32_t passed = a->rate.gate_wait_ms > 0 ? avitoi_account_now(a) - a->rate.gate_ms : 0u;
    return passed >= a->rate.gate_wait_ms ? 0 : (int)(a->rate.gate_wait_ms - passed);
}

/* The same, for a caller that does not hold the lock. */
static uint32_t avitoi_rate_gate_wait(const avito_account *a)
{
    int left;
    avitoi_account_lock(a);
    left = avitoi_rate_gate_left(a);
    avitoi_account_unlock(a);
    return (uint32_t)left;
}

static void avitoi_rate_gate_pass(avito_account *a)
{
    a->rate.gate_wait_ms = 0;
    if (a->o.requests_per_minute > 0) {
        a->rate.gate_ms = avitoi_account_now(a);
        a->rate.gate_wait_ms = 59999u / a->o.requests_per_minute + 1u;
    }
}

/* Under the lock: AVITO_OK, AVITO_AGAIN, or RATE if it cannot open in time. */
static int avitoi_rate_gate(avito_client *c)
{
    const uint32_t left = (uint32_t)avitoi_rate_gate_left(c->account);
    if (left < c->priv.total_left_ms || left == 0) {
        return left == 0 ? AVITO_OK : AVITO_AGAIN;
    }
    c->error.retry_after_s = (left + 999u) / 1000u;
    c->priv.answered = true; /* the connection is idle, and may be kept */
    return AVITO_ERR_RATE;
}

/* Closes the account's gate for all lanes, after 429 or when no request is left in this minute. Never
 * opens it earlier than an answer to another lane asked for. */
static void avitoi_rate_heed(avito_client *c)
{
    avito_account *a = c->account;
    const struct avitoi_head *h = &c->priv.json.as.before.head;
    uint32_t wait_ms;
    c->error.retry_after_s = avitoi_rate_asked_pause(c);
    wait_ms = (h->status == 429) ? c->error.retry_after_s * 1000u : 0u;
    if (h->exhausted && wait_ms == 0) {
        wait_ms = 60000u / (h->rate_limit > 0 ? h->rate_limit : 60u);
    }
    avitoi_account_lock(a);
    if (wait_ms > (uint32_t)avitoi_rate_gate_left(a)) {
        a->rate.gate_ms = avitoi_account_now(a);
        a->rate.gate_wait_ms = wait_ms;
    }
    avitoi_account_unlock(a);
}

AVITO_API int avito_account_open_gate(avito_account *account)
{
    if (account == NULL || account->o.clock_ms == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    avitoi_account_lock(account);
    account->rate.gate_wait_ms = 0;
    avitoi_account_unlock(account);
    return AVITO_OK;
}

/* ======================================================================= *
 * >>71 RETRIES
 * ======================================================================= *
 *
 * A failed call is begun again where that can do no harm and there is time, after a pause. A Retry-After
 * that is a date is read here, too. Comes in: the error. Goes out: true, and the call is in its first
 * state; or false, and it fails. May not repeat what may have been stored.
 */

#define AVITOI_RETRIES_PAUSE_MAX_S 60u /* the longest pause that no server asked for */

/* 1, 2, 4 ... seconds, less a random part of up to a half, so that many devices do not come back
 * at the same moment. */
static uint32_t avitoi_retries_backoff(const avito_client *c)
{
    const avito_account *a = c->account;
    const unsigned doublings = c->priv.retries < 6 ? c->priv.retries : 6u;
    uint32_t ms = 1000u << doublings;
    uint16_t random = (uint16_t)(avitoi_account_now(a) * 40503u); /* 2^16 / the golden ratio: spreads well */
    if (a->o.entropy != NULL) {
        (void)a->o.entropy(a->o.ctx, &random, sizeof random);
    }
    ms = ms > AVITOI_RETRIES_PAUSE_MAX_S * 1000u ? AVITOI_RETRIES_PAUSE_MAX_S * 1000u : ms;
    return ms - (uint32_t)(((uint64_t)(ms / 2u) * random) >> 16);
}

/* Is this a failure that may be over in a moment? */
static bool avitoi_retries_is_passing(int code)
{
    return code == AVITO_ERR_RATE || code == AVITO_ERR_SERVER ||
           (code <= AVITO_ERR_RESOLVE && code >= AVITO_ERR_TIMEOUT_IDLE) ||
           (code <= AVITO_ERR_HTTP && code >= AVITO_ERR_JSON_UTF8) || code == AVITO_ERR_EMPTY;
}

/* After a failure: pauses and begins the same call again, if that can do no harm and there is time. */
static bool avitoi_retries_again(avito_client *c, int code)
{
    const bool rows_given = avitoi_list_streams(c) && (c->priv.json.rows > 0 || c->priv.rows_before > 0);
    /* A code or refresh token that left may be spent: the service would only say so. */
    const bool spent = c->priv.written && (c->priv.request->flags & AVITOI_ENDPOINT_SPENDS) != 0;
    uint32_t pause_ms;
    if (c->priv.retries >= c->o.retries || !avitoi_retries_is_passing(code) || rows_given || spent ||
        ((c->priv.call->flags & AVITOI_ENDPOINT_CHANGES) != 0 &&
         avitoi_error_outcome(c, code) != AVITO_NOT_SENT)) {
        return false;
    }
    pause_ms =
        c->error.retry_after_s > 0 ? c->error.retry_after_s * 1000u : avitoi_retries_backoff(c);
    if (pause_ms >= c->priv.total_left_ms) {
        return false;
    }
    avitoi_call_drop(c, code);
    avitoi_token_resign(c);
    avitoi_call_trace(c, AVITOI_CALL_TRACE_AGAIN);
    c->priv.retries++;
    c->priv.rows_before = 0;
    (void)avitoi_call_repeat(c, pause_ms);
    return true;
}

/* Days from 1970-01-01 to a date; `month` from 0 on. Years begin in March here, so that the leap day is
 * the last one; 2100 has none. */
static uint32_t avitoi_retries_days(uint32_t year, uint32_t month, uint32_t day)
{
    const uint32_t epoch = 1969u * 365u + 1969u / 4u + (10u * 153u + 2u) / 5u + 1u; /* 1970-01-01 */
    year -= (month < 2u) ? 1u : 0u;
    month = (month + 10u) % 12u;
    return year * 365u + year / 4u - (year < 2100u ? 0u : 1u) + (month * 153u + 2u) / 5u + day - epoch;
}

/* The six pairs of digits of a date: day, century, year, hour, minute, second. False: it is none. */
static bool avitoi_retries_read_pairs(const char *date, uint32_t pair[6])
{
    static const uint8_t separator_at[] = {3, 4, 7, 11, 16, 19, 22, 25, 26, 27, 28};
    static const char separators[] = ",    :: gmt";
    static const uint8_t pair_at[] = {5, 12, 14, 17, 20, 23};
    size_t i;
    for (i = 0; i < sizeof separator_at; i++) {
        if ((date[separator_at[i]] | 0x20) != separators[i]) { /* no control byte, which would pass for one */
            return false;
        }
    }
    for (i = 0; i < sizeof pair_at; i++) {
        const unsigned tens = (unsigned)avitoi_text_byte(date[pair_at[i]]) - '0';
        const unsigned ones = (unsigned)avitoi_text_byte(date[pair_at[i] + 1u]) - '0';
        if (tens > 9u || ones > 9u) {
            return false;
        }
        pair[i] = tens * 10u + ones;
    }
    return true;
}

/* From 0 on, in any case; 12: there is no such month. */
static uint32_t avitoi_retries_read_month(const char *p)
{
    static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    uint32_t month = 0;
    char name[3];
    size_t i;
    for (i = 0; i < sizeof name; i++) {
        name[i] = (char)(p[i] | 0x20);
    }
    while (month < 12u && memcmp(months + 3u * month, name, sizeof name) != 0) {
        month++;
    }
    return month;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" as unix seconds, in any case; UINT32_MAX: after 2105; 0: anything else. The
 * day of the week is not read. */
static uint32_t avitoi_retries_read_date(avito_str s)
{
    uint32_t pair[6], month, year;
    if (s.len != 29 || !avitoi_retries_read_pairs(s.ptr, pair)) {
        return 0;
    }
    month = avitoi_retries_read_month(s.ptr + 8);
    year = pair[1] * 100u + pair[2];
    if (month == 12u || pair[0] - 1u > 30u || year < 1970 || pair[3] > 23u || pair[4] > 59u ||
        pair[5] > 60u) { /* a leap second */
        return 0;
    }
    return year > 2105 ? UINT32_MAX
                       : avitoi_retries_days(year, month, pair[0]) * 86400u + pair[3] * 3600u +
                             pair[4] * 60u + pair[5];
}

/* The lines of a head that only the rate needs. */
static void avitoi_retries_read_head(struct avitoi_head *h, avito_str value)
{
    switch ((int)h->header) {
        case AVITOI_HEAD_FIELD_RETRY_AFTER:
            h->retry_date = avitoi_retries_read_date(value);
            break;
        case AVITOI_HEAD_FIELD_DATE:
            h->date = avitoi_retries_read_date(value);
            h->date = h->date != UINT32_MAX ? h->date : 0u; /* a wait may end then, but that is not now */
            break;
        case AVITOI_HEAD_FIELD_LIMIT:
            h->rate_limit = avitoi_head_count(value);
            break;
        case AVITOI_HEAD_FIELD_REMAINING:
            h->exhausted = avito_str_equal(value, "0");
            break;
        default:
            break;
    }
}

/* The same, except for the date of a success: only the inbox needs that. */
static void avitoi_retries_read_refusal(struct avitoi_head *h, avito_str value)
{
    if (h->header != AVITOI_HEAD_FIELD_DATE || h->status / 100u != 2u) {
        avitoi_retries_read_head(h, value);
    }
}

static const struct avitoi_call_retries avitoi_retries_parts[] = {
    {avitoi_retries_again, avitoi_retries_read_refusal, avitoi_rate_heed, avitoi_rate_gate,
     avitoi_rate_gate_pass, avitoi_rate_gate_wait, &avitoi_retries_parts[1]},
    {avitoi_retries_again, avitoi_retries_read_head, avitoi_rate_heed, avitoi_rate_gate,
     avitoi_rate_gate_pass, avitoi_rate_gate_wait, &avitoi_retries_parts[1]}};
static const struct avitoi_call_retries avitoi_retries_rate_part = {
    NULL, avitoi_retries_read_head, avitoi_rate_heed, avitoi_rate_gate,
    avitoi_rate_gate_pass, avitoi_rate_gate_wait, &avitoi_retries_rate_part};

AVITO_API void avito_enable_retries(avito_client_options *options)
{
    if (options != NULL) {
        options->priv.retries = avitoi_retries_parts;
    }
}

/* ======================================================================= *
 * >>72 DIAGNOSTICS
 * ======================================================================= *
 *
 * What is told to people: lines of a trace, and the server's own words in an error. Comes in: an event,
 * an error. Goes out: text in which every secret is masked. May not change the course of a call.
 */

/* The words at `p`, each ended by a NUL: the one of this number. */
static const char *avitoi_diagnostics_word(const char *p, unsigned number)
{
    for (; number > 0; number--) {
        p += strlen(p) + 1u;
    }
    return p;
}

#define AVITOI_DIAGNOSTICS_TRACE_WORD_(name, word) word "\0"
#define AVITOI_DIAGNOSTICS_NAME_(name) #name "\0"

/* One line to the hook, which is set: the word of the event, the call's name, and the answer's status if
 * there is one. */
static void avitoi_diagnostics_trace(const avito_client *c, unsigned what)
{
    static const char words[] = AVITOI_CALL_TRACES(AVITOI_DIAGNOSTICS_TRACE_WORD_);
    static const char names[] = AVITOI_ENDPOINTS(AVITOI_DIAGNOSTICS_NAME_);
    const struct avitoi_endpoint *named = what < AVITOI_CALL_TRACE_TOKEN ? c->priv.request : c->priv.call;
    struct avitoi_writer w;
    char line[64];
    memset(&w, 0, sizeof w);
    w.out = line;
    w.cap = sizeof line - 1u;
    avitoi_write_text(&w, avitoi_diagnostics_word(words, what));
    if (what != AVITOI_CALL_TRACE_TOKEN) {
        avitoi_write_text(&w, avitoi_diagnostics_word(names, named->number));
    }
    if (c->priv.status != 0) {
        avitoi_write(&w, " ", 1);
        avitoi_write_int(&w, c->priv.status);
    }
    line[w.len] = '\0';
    c->account->o.trace(c->account->o.ctx, line);
}

/* ---- no secret leaves ---- */

/* How many bytes from text[at] on may mean `c`, a byte of a secret: itself; the star of another mask,
 * where one may have been cut off (`inside`); or an escape of it, which the end of the text may cut off.
 * 0: none do. */
static size_t avitoi_diagnostics_standing(const char *text, size_t len, size_t at, char c, bool inside)
{
    const size_t digits = text[at] == '%' ? at + 1u : at + 3u; /* of an escape; are they there? */
    if (text[at] == c || (inside && text[at] == '*')) {
        return 1;
    }
    if (text[at] != '%' && text[at] != 'u') {
        return 0;
    }
    if (digits + 1u < len && (avitoi_text_hex_digit(text[digits]) << 4 |
                              avitoi_text_hex_digit(text[digits + 1u])) != avitoi_text_byte(c)) {
        return 0;
    }
    return (digits + 2u < len ? digits + 2u : len) - at;
}

/* How far the secret goes from text[at] on; *matched: how many of its bytes are there. */
static size_t avitoi_diagnostics_match(const char *text, size_t len, size_t at, avito_str secret,
                                       size_t *matched)
{
    size_t i = 0;
    while (i < secret.len && at < len) {
        const size_t n = avitoi_diagnostics_standing(text, len, at, secret.ptr[i], i > 0);
        if (n == 0 && (i == 0 || text[at] != '\\')) {
            break;
        }
        at += n > 0 ? n : 1u; /* the backslash of an escape */
        i += n > 0 ? 1u : 0u;
    }
    *matched = i;
    return at;
}

/* Masks every occurrence of `secret` in a text that has room for `cap` bytes and a NUL, also one that the
 * end of a full text cuts off, and one with the escapes of a form, %2F (except that of a '%'), or of
 * JSON, \/ and \u002f. */
static void avitoi_diagnostics_mask(char *text, size_t cap, avito_str secret)
{
    const size_t len = strlen(text);
    const bool full = len + 4u > cap; /* up to three bytes of a code point may be missing */
    size_t at;
    for (at = 0; at + 4u <= len && secret.len >= 4; at++) {
        size_t matched;
        const size_t end = avitoi_diagnostics_match(text, len, at, secret, &matched);
        if (matched == secret.len || (full && end == len)) {
            memset(text + at, '*', end - at);
        }
    }
}

/* "..._token" as a name before a value: an answer to a token request, or a form. */
static bool avitoi_diagnostics_holds_token(const char *text)
{
    while ((text = avitoi_text_after(text, "_token")) != NULL) {
        const char *p = text;
        while (*p != '\0' && strchr("\\\"' ", *p) != NULL) {
            p++;
        }
        if (*p == ':' || *p == '=') {
            return true;
        }
    }
    return false;
}

/* In the error's text and in error_body. */
static void avitoi_diagnostics_mask_everywhere(avito_client *c, avito_str secret)
{
    avitoi_diagnostics_mask(c->error.text, AVITO_ERROR_TEXT_CAP - 1u, secret);
    if (c->o.error_body_cap > 0) {
        avitoi_diagnostics_mask(c->o.error_body, c->o.error_body_cap - 1u, secret);
    }
}

/* Makes blanks of control characters of two bytes, U+0080 to U+009F: terminals obey some of them. */
static void avitoi_diagnostics_blank(char *text)
{
    for (; *text != '\0'; text++) {
        if (avitoi_text_byte(*text) == 0xc2u && (avitoi_text_byte(text[1]) & 0xe0u) == 0x80u) {
            text[0] = ' ';
            text[1] = ' ';
        }
    }
}

/* Masks both tokens, the token of this request, the client secret, and the values of the program's own
 * header lines. If they hold tokens that are not known yet, or no longer, all of them go. */
static void avitoi_diagnostics_mask_secrets(avito_client *c)
{
    const avito_account *a = c->account;
    avito_str secrets[4];
    size_t i;
    avitoi_diagnostics_blank(c->error.text);
    avitoi_account_lock(a);
    if (avitoi_call_token_gone(c) || avitoi_diagnostics_holds_token(c->error.text) ||
        (avitoi_account_one_copy(&a->o) && a->priv.epoch > 0 && a->priv.access == NULL) ||
        (c->o.error_body_cap > 0 && avitoi_diagnostics_holds_token(c->o.error_body))) {
        avitoi_call_forget_body(c);
    }
    secrets[0] = avitoi_text_or_none(a->priv.access);
    secrets[1] = avitoi_text_or_none(a->priv.refresh);
    secrets[2].ptr = c->priv.access; /* maybe of an older epoch */
    secrets[2].len = c->priv.access_len;
    secrets[3] = avitoi_text_of(a->o.client_secret);
    for (i = 0; i < AVITOI_COUNT(secrets); i++) {
        avitoi_diagnostics_mask_everywhere(c, secrets[i]);
    }
    for (i = 0; c->o.priv.headers != NULL && i < c->o.priv.headers->count; i++) {
        avitoi_diagnostics_mask_everywhere(c, (c->o.priv.headers->priv.value)(c->o.priv.headers->lines[i]));
    }
    avitoi_account_unlock(a);
}

/* Bytes of a refusal's body, as it is: for the caller who asked for it. */
static void avitoi_diagnostics_keep_body(avito_client *c, const char *data, size_t len)
{
    const size_t room = c->o.error_body_cap - 1u - c->priv.raw_len;
    const size_t n = len < room ? len : room;
    memcpy(c->o.error_body + c->priv.raw_len, data, n);
    c->priv.raw_len += (uint32_t)n;
    c->o.error_body[c->priv.raw_len] = '\0';
}

static const struct avitoi_call_diagnostics avitoi_diagnostics_part = {
    avitoi_diagnostics_trace, avitoi_diagnostics_mask_secrets, avitoi_diagnostics_keep_body};

AVITO_API void avito_enable_diagnostics(avito_account_options *options)
{
    if (options != NULL) {
        options->priv.diagnostics = &avitoi_diagnostics_part;
    }
}

/* ======================================================================= *
 * >>73 WHAT NO MODEL KNOWS
 * ======================================================================= *
 *
 * A value that is only checked is copied to the arena's low end while the machine checks it, byte by byte: so
 * it is valid, and ends where the machine says so. Comes in: bytes of a body, in pieces of any size. Goes out:
 * a text in the struct of the object that is open. May not run while anything else grows at the low end.
 */

/* In an object's `seen`, beside the bits of its rows: something of it is kept already. */
#define AVITOI_KEEP_SEEN (1u << 31)

/* Is it a member of a content, which is kept with its name? Else it is the value of another TYPE. */
static bool avitoi_keep_is_member(const struct avitoi_json *j)
{
    return j->top->field >= AVITOI_JSON_NO_FIELD;
}

/* Is the value that comes next to be kept? It is a member of a content that has no row, or a value of another
 * TYPE. */
static avitoi_json_result avitoi_keep_unknown(const struct avitoi_json *j)
{
    const struct avitoi_json_frame *f;
    bool unknown;
    if (j->skip > 0 || j->level == 0 || j->raw_depth > 0) {
        return AVITO_AGAIN;
    }
    f = j->top;
    if (f->kind != AVITOI_SCHEMA_OBJ || (f->seen & AVITOI_KEEP_SEEN) != 0) {
        return AVITO_AGAIN;
    }
    unknown = avitoi_keep_is_member(j)
               ? j->top->schema == &avitoi_schema_content.schema && j->len <= sizeof j->word
               : avitoi_schema_fields(f->schema)[f->field].kind == AVITOI_SCHEMA_TYPED &&
                     f->type == AVITOI_SCHEMA_TYPE_OTHER;
    return unknown ? AVITOI_JSON_UNKNOWN : AVITO_AGAIN;
}

static void avitoi_keep_bytes(struct avitoi_json *j, const char *p, size_t n)
{
    const size_t at = j->mem.low;
    j->mem.low += n;
    if (avitoi_json_fits(j)) {
        memcpy(j->mem.low_base + at, p, n);
    }
}

/* Writes {"name": before the value. */
static void avitoi_keep_name(struct avitoi_json *j)
{
    struct avitoi_writer w = AVITOI_ZERO;
    avito_str name;
    avitoi_keep_bytes(j, "{", 1);
    name.ptr = j->word;
    name.len = j->len;
    w.out = j->mem.low_base + j->mem.low;
    w.cap = j->measuring ? 0u : avitoi_json_limit(j) - j->mem.low;
    avitoi_write_json(&w, name);
    j->mem.low += w.total;
    avitoi_keep_bytes(j, ":", 1);
}

/* At the first byte of the value. */
AVITOI_APART static void avitoi_keep_begin(struct avitoi_json *j)
{
    j->top->seen |= AVITOI_KEEP_SEEN;
    j->raw_depth = (uint8_t)(j->depth + 1u);
    j->room = j->mem.low;
    if (avitoi_keep_is_member(j)) {
        avitoi_keep_name(j);
    }
}

/* After the last byte of the value: its text goes into the struct of the object, with a NUL after it. */
AVITOI_APART static void avitoi_keep_end(struct avitoi_json *j)
{
    const struct avitoi_json_frame *f = j->top;
    size_t place = offsetof(struct avitoi_schema_wide_content, raw);
    avito_str s;
    if (avitoi_keep_is_member(j)) {
        avitoi_keep_bytes(j, "}", 1);
    } else {
        place = avitoi_schema_fields(f->schema)[f->field].offset + sizeof(void *);
    }
    s.ptr = j->mem.low_base + j->room;
    s.len = j->mem.low - j->room;
    avitoi_keep_bytes(j, "", 1);
    j->raw_depth = 0;
    if (!j->measuring) {
        memcpy(f->at.model + place, &s, sizeof s);
    }
}

/* Is the kept value a number, and does `c` end it? */
static bool avitoi_keep_number_ends(const struct avitoi_json *j, char c)
{
    return j->depth + 1u == j->raw_depth && j->state >= AVITOI_JSON_AT_MINUS &&
           j->state < AVITOI_JSON_AT_DONE &&
           avitoi_json_number_next(j->state, c) == AVITOI_JSON_AT_AFTER;
}

/* As avitoi_json_feed(), and copies what is kept. That stops before a value to keep. */
static avitoi_json_result avitoi_keep_feed(struct avitoi_json *j, const char *data, size_t len, size_t *used)
{
    avitoi_json_result rc = AVITO_AGAIN;
    size_t at = 0, taken;
    while (at < len && rc == AVITO_AGAIN) {
        if (avitoi_keep_number_ends(j, data[at])) {
            avitoi_keep_end(j);
        }
        if (j->raw_depth == 0) {
            rc = avitoi_json_feed(j, data + at, len - at, &taken);
        } else {
            avitoi_keep_bytes(j, data + at, 1);
            rc = avitoi_json_feed(j, data + at, 1, &taken);
            if (j->state == AVITOI_JSON_AT_AFTER && j->depth + 1u == j->raw_depth) {
                avitoi_keep_end(j);
            }
        }
        at += taken;
        if (rc == AVITOI_JSON_UNKNOWN) {
            avitoi_keep_begin(j);
            rc = AVITO_AGAIN;
        }
    }
    *used = at;
    return rc;
}

static const struct avitoi_json_raw avitoi_keep_part = {avitoi_keep_unknown, avitoi_keep_feed};

AVITO_API void avito_enable_raw(avito_client_options *options)
{
    if (options != NULL) {
        options->priv.raw = &avitoi_keep_part;
    }
}

/* ======================================================================= *
 * >>74 NOTIFICATIONS
 * ======================================================================= *
 *
 * The body of a notification, which lies in memory as a whole, becomes an event. Comes in: the body and
 * an arena. Goes out: the event, or the size that would do. May not need a lane.
 */

struct avitoi_schema_payload {
    avito_str type;
    avito_message *message;
    avito_str raw;
};

#define AVITOI_SCHEMA_ONLY_TYPE_ROWS(X, C, M) X(M, message, AVITOI_SCHEMA_STR, ptr, 0)
AVITOI_SCHEMA_LEAF(only_type, avito_str, AVITOI_SCHEMA_ONLY_TYPE_ROWS, false, false);

#define AVITOI_SCHEMA_PAYLOAD_ROWS(X, C, M)                                                        \
    C(M, type, AVITOI_SCHEMA_TYPE, type, 0, &avitoi_schema_only_type.schema)                       \
    C(M, value, AVITOI_SCHEMA_TYPED, message, 0, &avitoi_schema_message.schema)
AVITOI_SCHEMA(payload, struct avitoi_schema_payload, AVITOI_SCHEMA_PAYLOAD_ROWS, false, true);

struct avitoi_schema_envelope {
    avito_str id, version, chat_id;
    int64_t timestamp;
    struct avitoi_schema_payload *payload;
};

#define AVITOI_SCHEMA_ENVELOPE_ROWS(X, C, M)                                                       \
    X(M, id, AVITOI_SCHEMA_STR, id, 0)                                                             \
    X(M, version, AVITOI_SCHEMA_STR, version, AVITOI_SCHEMA_SHOWN)                                 \
    X(M, timestamp, AVITOI_SCHEMA_INT, timestamp, 0)                                               \
    C(M, payload, AVITOI_SCHEMA_OBJ, payload, 0, &avitoi_schema_payload.schema)                    \
    X(M, chat_id, AVITOI_SCHEMA_STR, chat_id, AVITOI_SCHEMA_SHOWN) /* of a message that comes without one */
AVITOI_SCHEMA(envelope, struct avitoi_schema_envelope, AVITOI_SCHEMA_ENVELOPE_ROWS, false, false);

/* Too large for a small stack: during the call it is at the end of the arena. */
struct avitoi_event_reader {
    struct avitoi_json json;
    struct avitoi_schema_envelope envelope;
    const char *body;
    size_t len;
    avito_arena rest; /* of the caller's arena */
    const struct avitoi_json_raw *raw;
};

static int avitoi_event_read_as(struct avitoi_event_reader *r,
                                const struct avitoi_schema *schema, void *out)
{
    size_t used = 0;
    int rc;
    avitoi_json_begin(&r->json, schema, out);
    avitoi_arena_share(&r->json.mem, r->rest.base + r->rest.used, r->rest.cap - r->rest.used);
    r->json.raw = r->raw;
    rc = r->raw != NULL ? r->raw->feed(&r->json, r->body, r->len, &used)
                        : avitoi_json_feed(&r->json, r->body, r->len, &used);
    return (rc == AVITO_AGAIN) ? avitoi_json_end(&r->json) : rc;
}

/* The message of the payload; NULL: another payload, or none. A message that breaks the model is an error,
 * also when its type comes after it. */
static int avitoi_event_message(const struct avitoi_schema_payload *payload, avito_message **out)
{
    *out = NULL;
    if (payload == NULL ||
        !(payload->type.ptr == NULL || avito_str_equal(payload->type, "message"))) {
        return AVITO_OK;
    }
    if ((const void *)payload->message == &avitoi_schema_left_out) {
        return AVITO_ERR_MODEL;
    }
    *out = payload->message;
    return AVITO_OK;
}

/* An envelope with a payload, or a message by itself: it has a chat, which no envelope has. */
AVITOI_APART static int avitoi_event_read(struct avitoi_event_reader *r, avito_message **message)
{
    int rc = avitoi_event_read_as(r, &avitoi_schema_envelope.schema, &r->envelope);
    if (rc != AVITO_OK || r->envelope.payload != NULL || r->envelope.chat_id.ptr == NULL) {
        return rc != AVITO_OK ? rc : avitoi_event_message(r->envelope.payload, message);
    }
    memset(&r->envelope, 0, sizeof r->envelope);
    rc = avitoi_event_read_as(r, &avitoi_schema_message.schema, NULL);
    *message = (avito_message *)r->json.out;
    return rc;
}

/* Sets up the reader. NULL: the arena has no room for it; *peak is what it needs. */
static struct avitoi_event_reader *avitoi_event_begin(const char *body, size_t len, avito_arena *arena,
                                                      size_t *peak)
{
    const size_t size = avitoi_arena_align(sizeof(struct avitoi_event_reader));
    const bool bom = len >= 3 && memcmp(body, "\xef\xbb\xbf", 3) == 0;
    const size_t used = avitoi_arena_align(arena->used);
    struct avitoi_event_reader *r;
    size_t cap;
    *peak = used + size;
    if (arena->cap < *peak) {
        return NULL;
    }
    arena->fills++;
    cap = (arena->cap - size) & ~(size_t)(AVITOI_ARENA_ALIGN - 1u);
    r = (struct avitoi_event_reader *)(void *)(arena->base + cap);
    r->rest = *arena;
    r->rest.used = used;
    r->rest.cap = cap;
    r->body = body + (bom ? 3 : 0);
    r->len = len - (bom ? 3u : 0u);
    return r;
}

/* Reads the body and fills `out`. The arena keeps what was decoded; what the reader itself took is free
 * again. */
static int avitoi_event_parse(const char *body, size_t len, avito_arena *arena,
                              const struct avitoi_json_raw *raw, avito_event *out, size_t *needed)
{
    avito_message *message = NULL;
    size_t peak;
    int rc = AVITO_ERR_ARENA;
    struct avitoi_event_reader *const r = avitoi_event_begin(body, len, arena, &peak);
    if (r != NULL) {
        r->raw = raw;
        rc = avitoi_event_read(r, &message);
        peak += avitoi_arena_align(r->json.mem.peak);
    }
    *needed = (rc == AVITO_ERR_ARENA) ? avitoi_arena_needed(peak) : 0u;
    if (rc != AVITO_OK) {
        return rc;
    }
    memset(out, 0, sizeof *out);
    if (r->envelope.id.ptr == NULL && r->envelope.payload == NULL && message == NULL) {
        return AVITO_END;
    }
    arena->peak = (peak > arena->peak) ? peak : arena->peak;
    arena->used = r->rest.used + avitoi_arena_align(r->json.mem.low);
    out->id = r->envelope.id;
    out->version = r->envelope.version;
    out->timestamp = r->envelope.timestamp;
    if (r->envelope.payload != NULL) {
        out->type = r->envelope.payload->type;
        out->raw = r->envelope.payload->raw;
    }
    out->message = message;
    return AVITO_OK;
}

static int avitoi_event_parse_with(const void *body, size_t len, avito_arena *arena,
                                   const struct avitoi_json_raw *raw, avito_event *out, size_t *needed)
{
    size_t need = 0;
    int rc = AVITO_ERR_ARGUMENT;
    if (body != NULL && arena != NULL && arena->base != NULL && out != NULL) {
        rc = arena->busy ? AVITO_ERR_BUSY
                         : avitoi_event_parse((const char *)body, len, arena, raw, out, &need);
    }
    if (needed != NULL) {
        *needed = need;
    }
    return rc;
}

AVITO_API int avito_parse_webhook(const void *body, size_t len, avito_arena *arena,
                                  avito_event *out, size_t *needed)
{
    return avitoi_event_parse_with(body, len, arena, NULL, out, needed);
}

AVITO_API int avito_parse_webhook_raw(const void *body, size_t len, avito_arena *arena,
                                      avito_event *out, size_t *needed)
{
    return avitoi_event_parse_with(body, len, arena, &avitoi_keep_part, out, needed);
}

/* ======================================================================= *
 * >>75 WEBHOOK RECEIVER
 * ======================================================================= *
 *
 * The server side of one connection: a request is read byte by byte; every state is a place where input
 * can end, and no byte is looked at twice. While an answer goes out or a notification waits, no input is
 * taken. Comes in: bytes of requests. Goes out: the body of a notification, and bytes of answers. May not
 * read or write the connection itself.
 *
 *     START > METHOD > TARGET > VERSION > LINE_LF > FIELD > NAME > VALUE > LINE_LF > FIELD ...
 *                                                   FIELD > END_LF > BODY > START
 */

#define AVITOI_WEBHOOK_HEAD_MAX 8192u
#define AVITOI_WEBHOOK_PATH_MAX 1024u

enum {
    AVITOI_WEBHOOK_START,
    AVITOI_WEBHOOK_START_LF,
    AVITOI_WEBHOOK_METHOD,
    AVITOI_WEBHOOK_TARGET,
    AVITOI_WEBHOOK_VERSION,
    AVITOI_WEBHOOK_LINE_LF,
    AVITOI_WEBHOOK_FIELD, /* at the start of a line */
    AVITOI_WEBHOOK_NAME,
    AVITOI_WEBHOOK_VALUE,
    AVITOI_WEBHOOK_END_LF,
    AVITOI_WEBHOOK_BODY
};

/* The header fields that matter. */
#define AVITOI_WEBHOOK_NAMES(X)                                                                    \
    X(CLOSE, connection) X(CONTINUE, expect) X(HOST, host) X(LENGTH, content-length)               \
    X(CODING, transfer-encoding) X(SIGNATURE, x-avito-messenger-signature)
AVITOI_TEXT_WORDS(avitoi_webhook_names, AVITOI_WEBHOOK_NAMES);

/* .flags. The first six are one header field each, in the order of their names. */
#define AVITOI_WEBHOOK_CLOSE     0x0001u /* Connection: close, or there is another reason to */
#define AVITOI_WEBHOOK_CONTINUE  0x0002u /* Expect: 100-continue */
#define AVITOI_WEBHOOK_HOST      0x0004u /* this field and the next three: it was seen */
#define AVITOI_WEBHOOK_LENGTH    0x0008u
#define AVITOI_WEBHOOK_CODING    0x0010u
#define AVITOI_WEBHOOK_SIGNATURE 0x0020u
#define AVITOI_WEBHOOK_ONCE      0x003cu /* fields that may come once only */
#define AVITOI_WEBHOOK_NOT_POST  0x0040u
#define AVITOI_WEBHOOK_HTTP10    0x0080u
#define AVITOI_WEBHOOK_CLOSING   0x0100u /* no more input */
#define AVITOI_WEBHOOK_EVENT     0x0200u /* a notification waits */

static void avitoi_webhook_add(avito_webhook *w, const char *text)
{
    size_t len = strlen(text);
    memcpy(w->priv.out + w->priv.out_len, text, len);
    w->priv.out_len = (uint8_t)(w->priv.out_len + len);
}

/* Writes the answer: 68 bytes at most, for a 405 that closes. */
static void avitoi_webhook_answer(avito_webhook *w, unsigned status)
{
    unsigned n = status;
    size_t i;
    avitoi_webhook_add(w, "HTTP/1.1 000 \r\n");
    for (i = 11; i > 8; i--) {
        w->priv.out[i] = (char)('0' + n % 10);
        n /= 10;
    }
    if (status != 100) {
        w->priv.status = (uint16_t)status;
        avitoi_webhook_add(w, "Content-Length: 0\r\n");
        if (status == 405) {
            avitoi_webhook_add(w, "Allow: POST\r\n");
        }
        if ((w->priv.flags & AVITOI_WEBHOOK_CLOSE) != 0) {
            w->priv.flags |= AVITOI_WEBHOOK_CLOSING;
            avitoi_webhook_add(w, "Connection: close\r\n");
        }
    }
    avitoi_webhook_add(w, "\r\n");
}

/* The request is over, one way or the other. */
static void avitoi_webhook_end(avito_webhook *w, unsigned status)
{
    w->priv.state = AVITOI_WEBHOOK_START;
    w->priv.head_len = 0;
    avitoi_webhook_answer(w, status);
}

AVITOI_APART static int avitoi_webhook_fail(avito_webhook *w, int error)
{
    w->priv.error = error;
    w->priv.flags |= AVITOI_WEBHOOK_CLOSE;
    avitoi_webhook_end(w, error == AVITO_ERR_HOOK            ? 403
                          : error == AVITO_ERR_TIMEOUT_TOTAL ? 408
                          : error == AVITO_ERR_ROOM          ? 413
                          : error == AVITO_ERR_HTTP_HEAD     ? 431
                                                             : 400);
    return error;
}

static int avitoi_webhook_go(avito_webhook *w, bool legal, int state)
{
    w->priv.state = (uint8_t)state;
    return legal ? AVITO_AGAIN : AVITO_ERR_HTTP;
}

/* ---- the end of a request ---- */

/* Is it `{}` or nothing? Then the service only tests whether we can be reached. */
static bool avitoi_webhook_is_probe(const char *body, size_t len)
{
    unsigned wanted = '{';
    for (; len > 0; len--, body++) {
        if (memchr(" \t\r\n", *body, 4) != NULL) {
            continue;
        }
        if (avitoi_text_byte(*body) != wanted) {
            return false;
        }
        wanted = wanted == '{' ? '}' : 256u; /* no byte */
    }
    return wanted != '}';
}

/* 200, or the status with which the request line is refused. */
static unsigned avitoi_webhook_refusal(const avito_webhook *w)
{
    if (w->priv.difference != 0) {
        return 404;
    }
    return (w->priv.flags & AVITOI_WEBHOOK_NOT_POST) != 0 ? 405 : 200;
}

/* The body is complete: a notification waits for the application, unless it is a probe or .verify refuses
 * it. */
static int avitoi_webhook_complete(avito_webhook *w)
{
    const char *body = (const char *)w->o.buffer;
    size_t len = w->priv.body_len;
    unsigned status = avitoi_webhook_refusal(w);
    int result = AVITO_AGAIN;
    if (status == 200 && !avitoi_webhook_is_probe(body, len)) {
        w->priv.flags |= AVITOI_WEBHOOK_EVENT;
        result = AVITO_OK;
    }
    if (result == AVITO_OK && w->o.verify != NULL &&
        w->o.verify(w->o.ctx, body, len, avito_webhook_signature(w)) != AVITO_OK) {
        w->priv.flags &= ~AVITOI_WEBHOOK_EVENT;
        return AVITO_ERR_HOOK;
    }
    avitoi_webhook_end(w, status);
    return result;
}

static int avitoi_webhook_body_bytes(avito_webhook *w, const char *data, size_t len, size_t *used)
{
    size_t start, n;
    const avitoi_body_result result = avitoi_body_feed(&w->priv.body, data, len, &start, &n, used);
    if (n > w->o.buffer_cap - AVITO_WEBHOOK_SIGNATURE_ROOM - w->priv.body_len) {
        return AVITO_ERR_ROOM;
    }
    if (n > 0) {
        memcpy((char *)w->o.buffer + w->priv.body_len, data + start, n);
        w->priv.body_len += n;
    }
    if (result < 0) {
        return result;
    }
    return result == AVITOI_BODY_COMPLETE ? avitoi_webhook_complete(w) : AVITO_AGAIN;
}

/* ---- the head ---- */

/* Checks what only the whole head can tell. Then the body begins. */
static int avitoi_webhook_head_end(avito_webhook *w)
{
    unsigned flags = w->priv.flags;
    bool chunked = (flags & AVITOI_WEBHOOK_CODING) != 0;
    bool http10 = (flags & AVITOI_WEBHOOK_HTTP10) != 0;
    size_t used;
    if (!http10 && (flags & AVITOI_WEBHOOK_HOST) == 0) {
        return AVITO_ERR_HTTP;
    }
    if (chunked && (http10 || (flags & AVITOI_WEBHOOK_LENGTH) != 0)) {
        return AVITO_ERR_HTTP_LENGTH;
    }
    if (w->priv.length > w->o.buffer_cap - AVITO_WEBHOOK_SIGNATURE_ROOM) {
        return AVITO_ERR_ROOM;
    }
    w->priv.state = AVITOI_WEBHOOK_BODY;
    avitoi_body_init(&w->priv.body, chunked ? AVITOI_BODY_CHUNKED : AVITOI_BODY_LENGTH,
                     w->priv.length);
    if ((flags & AVITOI_WEBHOOK_CONTINUE) != 0 && !http10 && (chunked || w->priv.length > 0)) {
        if (avitoi_webhook_refusal(w) != 200) {
            w->priv.flags |= AVITOI_WEBHOOK_CLOSE; /* the body may come all the same */
            return avitoi_webhook_complete(w);
        }
        avitoi_webhook_answer(w, 100);
        return AVITO_AGAIN;
    }
    return avitoi_webhook_body_bytes(w, NULL, 0, &used);
}

static int avitoi_webhook_method_byte(avito_webhook *w, unsigned char c)
{
    bool end = c == ' ';
    size_t at = w->priv.at;
    if (w->priv.at > 4 || (unsigned char)"POST "[w->priv.at] != c) {
        w->priv.flags |= AVITOI_WEBHOOK_NOT_POST;
    }
    w->priv.at = (uint16_t)(end ? 0 : w->priv.at + 1);
    return avitoi_webhook_go(w, end ? at > 0 : avitoi_text_is_http_token(c),
                             end ? AVITOI_WEBHOOK_TARGET : AVITOI_WEBHOOK_METHOD);
}

/* Takes as long for a wrong secret as for the right one: only the target's own length shows. */
static int avitoi_webhook_target_byte(avito_webhook *w, unsigned char c)
{
    size_t at = w->priv.at;
    if (c == ' ') {
        w->priv.difference = (uint8_t)(w->priv.difference | (at != w->priv.path_len));
        w->priv.at = 0;
        return avitoi_webhook_go(w, at > 0, AVITOI_WEBHOOK_VERSION);
    }
    if (at < w->priv.path_len) {
        unsigned char wanted = (unsigned char)w->o.path[at];
        w->priv.difference = (uint8_t)(w->priv.difference | (wanted ^ c));
    }
    w->priv.at++;
    return avitoi_webhook_go(w, c > ' ' && c < 0x7f, AVITOI_WEBHOOK_TARGET);
}

static int avitoi_webhook_version_byte(avito_webhook *w, unsigned char c)
{
    unsigned at = w->priv.at++;
    if (at == 7 && c == '0') {
        w->priv.flags |= AVITOI_WEBHOOK_HTTP10 | AVITOI_WEBHOOK_CLOSE;
        return AVITO_AGAIN;
    }
    return avitoi_webhook_go(w, c == (unsigned char)"HTTP/1.1\r"[at],
                             at == 8 ? AVITOI_WEBHOOK_LINE_LF : AVITOI_WEBHOOK_VERSION);
}

static void avitoi_webhook_gather(avito_webhook *w, char *to, size_t room, char c)
{
    w->priv.cut = w->priv.at == room;
    if (!w->priv.cut) {
        to[w->priv.at++] = c;
    }
}

/* The name is in .out. */
static int avitoi_webhook_name_end(avito_webhook *w)
{
    avito_str name;
    unsigned field;
    name.ptr = w->priv.out;
    name.len = w->priv.at;
    field = 1u << avitoi_text_word_number(&avitoi_webhook_names, name) >> 1;
    if ((w->priv.flags & field & AVITOI_WEBHOOK_ONCE) != 0) {
        return field == AVITOI_WEBHOOK_LENGTH || field == AVITOI_WEBHOOK_CODING
                   ? AVITO_ERR_HTTP_LENGTH
                   : AVITO_ERR_HTTP;
    }
    w->priv.flags |= field & AVITOI_WEBHOOK_ONCE;
    w->priv.field = (uint8_t)field;
    return avitoi_webhook_go(w, w->priv.at > 0, AVITOI_WEBHOOK_VALUE);
}

static int avitoi_webhook_name_byte(avito_webhook *w, unsigned char c)
{
    int result;
    if (c != ':') { /* no CR becomes a dash: it is no token */
        avitoi_webhook_gather(w, w->priv.out, sizeof w->priv.out - 1, (char)(c | 0x20u));
        return avitoi_webhook_go(w, avitoi_text_is_http_token(c), AVITOI_WEBHOOK_NAME);
    }
    result = avitoi_webhook_name_end(w);
    w->priv.at = 0;
    w->priv.cut = false;
    return result;
}

/* Takes digits and nothing else. A number that is too large counts as the largest. */
static int avitoi_webhook_length(avito_webhook *w, avito_str value)
{
    size_t i, n = w->priv.cut ? SIZE_MAX : 0;
    for (i = 0; i < value.len; i++) {
        unsigned digit = (unsigned)(avitoi_text_byte(value.ptr[i])) - '0';
        if (digit > 9) {
            return AVITO_ERR_HTTP_LENGTH;
        }
        n = n > (SIZE_MAX - 9) / 10 ? SIZE_MAX : n * 10 + digit;
    }
    w->priv.length = n;
    return value.len > 0 ? AVITO_AGAIN : AVITO_ERR_HTTP_LENGTH;
}

/* The value of a field of interest is complete, in `ptr`. */
static int avitoi_webhook_value_end(avito_webhook *w, char *ptr)
{
    avito_str value;
    value.ptr = ptr;
    value.len = w->priv.at;
    avitoi_text_trim(&value);
    switch ((int)w->priv.field) {
        case (int)AVITOI_WEBHOOK_CLOSE:
            if (w->priv.cut || avitoi_text_has_token(value, "close")) {
                w->priv.flags |= AVITOI_WEBHOOK_CLOSE;
            }
            break;
        case (int)AVITOI_WEBHOOK_CONTINUE: /* other expectations need not be refused */
            if (avitoi_text_has_token(value, "100-continue")) {
                w->priv.flags |= AVITOI_WEBHOOK_CONTINUE;
            }
            break;
        case (int)AVITOI_WEBHOOK_LENGTH:
            return avitoi_webhook_length(w, value);
        case (int)AVITOI_WEBHOOK_CODING: /* no list: another coding would hide the length */
            return avito_str_equal(value, "chunked") && !w->priv.cut ? AVITO_AGAIN
                                                                     : AVITO_ERR_HTTP_LENGTH;
        case (int)AVITOI_WEBHOOK_SIGNATURE:
            ptr[value.len] = '\0';
            w->priv.signature_len = (uint8_t)value.len;
            return w->priv.cut ? AVITO_ERR_HTTP_HEAD : AVITO_AGAIN;
        default:
            break;
    }
    return AVITO_AGAIN;
}

/* A host and a port (RFC 9110, 7.2), blanks around it. It is not kept: .at says where we are. */
static int avitoi_webhook_host_byte(avito_webhook *w, unsigned char c)
{
    const unsigned char lower = (unsigned char)(c | 0x20u);
    if (c == ' ' || c == '\t') {
        w->priv.at = (uint16_t)(w->priv.at > 0 ? 2u : 0u);
        return AVITO_AGAIN;
    }
    if (w->priv.at == 2 || ((lower < 'a' || lower > 'z') && (c < '0' || c > '9') &&
                            memchr("-._~!$&'()*+;=%[]:", c, 18) == NULL)) {
        return AVITO_ERR_HTTP;
    }
    w->priv.at = 1;
    return AVITO_AGAIN;
}

/* The signature is kept after the room for the body, as it is. */
static int avitoi_webhook_value_byte(avito_webhook *w, unsigned char c)
{
    bool signature = w->priv.field == AVITOI_WEBHOOK_SIGNATURE;
    size_t room = signature ? AVITO_WEBHOOK_SIGNATURE_ROOM : sizeof w->priv.out;
    char *to = signature ? (char *)w->o.buffer + w->o.buffer_cap - room : w->priv.out;
    if (c == '\r') {
        w->priv.state = AVITOI_WEBHOOK_LINE_LF;
        return avitoi_webhook_value_end(w, to);
    }
    if (w->priv.field == AVITOI_WEBHOOK_HOST) {
        return avitoi_webhook_host_byte(w, c);
    }
    if (w->priv.at > 0 || (c != ' ' && c != '\t')) {
        avitoi_webhook_gather(w, to, room - 1, signature ? (char)c : avitoi_text_lower((char)c));
    }
    return avitoi_text_is_http_text(c) ? AVITO_AGAIN : AVITO_ERR_HTTP;
}

static int avitoi_webhook_first_byte(avito_webhook *w, unsigned char c)
{
    if (c == '\r') { /* empty lines before a request are allowed */
        return avitoi_webhook_go(w, true, AVITOI_WEBHOOK_START_LF);
    }
    w->priv.flags = 0;
    w->priv.body_len = 0;
    w->priv.length = 0;
    w->priv.signature_len = 0;
    w->priv.difference = 0;
    w->priv.at = 0;
    return avitoi_webhook_method_byte(w, c);
}

/* One byte of the head, by the state that it is read in. */
AVITOI_APART static int avitoi_webhook_head_byte(avito_webhook *w, unsigned char c)
{
    if (++w->priv.head_len > AVITOI_WEBHOOK_HEAD_MAX) {
        return AVITO_ERR_HTTP_HEAD;
    }
    switch ((int)w->priv.state) {
        case AVITOI_WEBHOOK_START:
            return avitoi_webhook_first_byte(w, c);
        case AVITOI_WEBHOOK_START_LF:
            return avitoi_webhook_go(w, c == '\n', AVITOI_WEBHOOK_START);
        case AVITOI_WEBHOOK_METHOD:
            return avitoi_webhook_method_byte(w, c);
        case AVITOI_WEBHOOK_TARGET:
            return avitoi_webhook_target_byte(w, c);
        case AVITOI_WEBHOOK_VERSION:
            return avitoi_webhook_version_byte(w, c);
        case AVITOI_WEBHOOK_LINE_LF:
            return avitoi_webhook_go(w, c == '\n', AVITOI_WEBHOOK_FIELD);
        case AVITOI_WEBHOOK_FIELD:
            if (c == '\r') {
                return avitoi_webhook_go(w, true, AVITOI_WEBHOOK_END_LF);
            }
            w->priv.at = 0;
            return avitoi_webhook_name_byte(w, c);
        case AVITOI_WEBHOOK_NAME:
            return avitoi_webhook_name_byte(w, c);
        case AVITOI_WEBHOOK_VALUE:
            return avitoi_webhook_value_byte(w, c);
        default: /* AVITOI_WEBHOOK_END_LF */
            if (c != '\n') {
                return AVITO_ERR_HTTP;
            }
            return avitoi_webhook_head_end(w);
    }
}

/* ---- the public part ---- */

/* Is it between two requests? An empty line does not begin one: it may be the rest of the last. */
static bool avitoi_webhook_idle(const avito_webhook *w)
{
    return w->priv.state <= AVITOI_WEBHOOK_START_LF;
}

/* After some input: a request begins now, or its answer. */
static void avitoi_webhook_note_time(avito_webhook *w, bool was_idle, uint32_t now_ms)
{
    if (was_idle != avitoi_webhook_idle(w) || (was_idle && w->priv.out_len > 0)) {
        w->priv.since_ms = now_ms;
    }
}

static int avitoi_webhook_overdue(avito_webhook *w, uint32_t now_ms)
{
    w->priv.since_ms = now_ms;
    if (w->priv.out_len == 0 && !avitoi_webhook_idle(w)) {
        return avitoi_webhook_fail(w, AVITO_ERR_TIMEOUT_TOTAL);
    }
    if (w->priv.error == 0) {
        w->priv.error = w->priv.out_len > 0 ? AVITO_ERR_TIMEOUT_TOTAL : AVITO_ERR_TIMEOUT_IDLE;
    }
    w->priv.out_len = 0; /* an answer that the peer does not take is dropped */
    w->priv.out_at = 0;
    w->priv.flags |= AVITOI_WEBHOOK_CLOSING;
    return w->priv.error;
}

AVITO_API avito_webhook_options avito_webhook_options_default(void)
{
    avito_webhook_options options = AVITOI_ZERO;
    return options;
}

/* Was it initialised, and without an error? */
static bool avitoi_webhook_is_ready(const avito_webhook *w)
{
    return w != NULL && w->o.buffer != NULL;
}

AVITO_API int avito_webhook_init(avito_webhook *webhook, const avito_webhook_options *options,
                                 uint32_t now_ms)
{
    const char *path = options != NULL ? options->path : NULL;
    size_t len = 0;
    if (webhook == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    memset(webhook, 0, sizeof *webhook);
    if (path == NULL || path[0] != '/') {
        return AVITO_ERR_ARGUMENT;
    }
    while (path[len] > ' ' && path[len] < 0x7f && path[len] != '?' && path[len] != '#') {
        len++;
    }
    if (path[len] != '\0' || len > AVITOI_WEBHOOK_PATH_MAX) {
        return AVITO_ERR_ARGUMENT;
    }
    if (options->buffer == NULL || options->buffer_cap <= AVITO_WEBHOOK_SIGNATURE_ROOM) {
        return AVITO_ERR_ROOM;
    }
    webhook->o = *options;
    webhook->o.request_timeout_ms = avitoi_number_or(options->request_timeout_ms, 10000);
    webhook->o.idle_timeout_ms = avitoi_number_or(options->idle_timeout_ms, 60000);
    webhook->priv.path_len = (uint16_t)len;
    webhook->priv.since_ms = now_ms;
    return AVITO_OK;
}

AVITO_API int avito_webhook_receive(avito_webhook *webhook, const void *data, size_t len,
                                    size_t *used, uint32_t now_ms)
{
    const char *bytes = (const char *)data;
    int result = AVITO_AGAIN;
    bool idle;
    size_t n;
    if (used != NULL) {
        *used = 0;
    }
    if (!avitoi_webhook_is_ready(webhook) || used == NULL || (data == NULL && len > 0)) {
        return AVITO_ERR_ARGUMENT;
    }
    if (avito_webhook_deadline_ms(webhook, now_ms) == 0) {
        return avitoi_webhook_overdue(webhook, now_ms);
    }
    if (webhook->priv.error != 0) {
        return webhook->priv.error;
    }
    while (result == AVITO_AGAIN && *used < len &&
           avito_webhook_wants(webhook) == AVITO_WANT_READ) {
        idle = avitoi_webhook_idle(webhook);
        n = 1;
        result = webhook->priv.state == AVITOI_WEBHOOK_BODY
                     ? avitoi_webhook_body_bytes(webhook, bytes + *used, len - *used, &n)
                     : avitoi_webhook_head_byte(webhook, (unsigned char)bytes[*used]);
        *used += n;
        if (result < 0) {
            result = avitoi_webhook_fail(webhook, result);
        }
        avitoi_webhook_note_time(webhook, idle, now_ms);
    }
    return result;
}

AVITO_API int avito_webhook_wants(const avito_webhook *webhook)
{
    if (!avitoi_webhook_is_ready(webhook)) {
        return 0;
    }
    if (webhook->priv.out_len > 0) {
        return AVITO_WANT_WRITE;
    }
    return (webhook->priv.flags & (AVITOI_WEBHOOK_EVENT | AVITOI_WEBHOOK_CLOSING)) == 0
               ? AVITO_WANT_READ
               : 0;
}

AVITO_API uint32_t avito_webhook_deadline_ms(const avito_webhook *webhook, uint32_t now_ms)
{
    int wants = avito_webhook_wants(webhook);
    uint32_t limit, elapsed;
    if (wants == 0) {
        return UINT32_MAX;
    }
    limit = webhook->o.request_timeout_ms;
    elapsed = now_ms - webhook->priv.since_ms;
    if (wants == AVITO_WANT_READ && avitoi_webhook_idle(webhook)) {
        limit = webhook->o.idle_timeout_ms;
    }
    return elapsed < limit ? limit - elapsed : 0;
}

AVITO_API const char *avito_webhook_output(const avito_webhook *webhook, size_t *len)
{
    if (len == NULL) {
        return NULL;
    }
    *len = webhook != NULL ? (size_t)(webhook->priv.out_len - webhook->priv.out_at) : 0u;
    return *len > 0 ? webhook->priv.out + webhook->priv.out_at : NULL;
}

AVITO_API void avito_webhook_sent(avito_webhook *webhook, size_t len, uint32_t now_ms)
{
    if (!avitoi_webhook_is_ready(webhook) || webhook->priv.out_len == 0) {
        return; /* nothing was to be sent: .since_ms stays */
    }
    if (len < (size_t)(webhook->priv.out_len - webhook->priv.out_at)) {
        webhook->priv.out_at = (uint8_t)(webhook->priv.out_at + len);
        return;
    }
    webhook->priv.out_at = 0;
    webhook->priv.out_len = 0;
    if (avitoi_webhook_idle(webhook)) {
        webhook->priv.since_ms = now_ms;
    }
}

AVITO_API const void *avito_webhook_body(const avito_webhook *webhook, size_t *len)
{
    bool waits = webhook != NULL && (webhook->priv.flags & AVITOI_WEBHOOK_EVENT) != 0;
    if (len == NULL) {
        return NULL;
    }
    *len = waits ? webhook->priv.body_len : 0;
    return waits ? webhook->o.buffer : NULL;
}

AVITO_API int avito_webhook_event(const avito_webhook *webhook, avito_arena *arena,
                                  avito_event *out, size_t *needed)
{
    size_t len;
    const void *body = avito_webhook_body(webhook, &len);
    if (!avitoi_webhook_is_ready(webhook) || arena == NULL || out == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    return body != NULL ? avito_parse_webhook(body, len, arena, out, needed) : AVITO_ERR_IDLE;
}

AVITO_API avito_str avito_webhook_signature(const avito_webhook *webhook)
{
    unsigned needed = AVITOI_WEBHOOK_EVENT | AVITOI_WEBHOOK_SIGNATURE;
    avito_str signature = {NULL, 0};
    if (webhook != NULL && (webhook->priv.flags & needed) == needed) {
        signature.ptr =
            (const char *)webhook->o.buffer + webhook->o.buffer_cap - AVITO_WEBHOOK_SIGNATURE_ROOM;
        signature.len = webhook->priv.signature_len;
    }
    return signature;
}

AVITO_API void avito_webhook_done(avito_webhook *webhook, uint32_t now_ms)
{
    if (webhook == NULL || (webhook->priv.flags & AVITOI_WEBHOOK_EVENT) == 0) {
        return;
    }
    webhook->priv.flags &= ~AVITOI_WEBHOOK_EVENT;
    if (webhook->priv.out_len == 0) {
        webhook->priv.since_ms = now_ms;
    }
}

AVITO_API bool avito_webhook_finished(const avito_webhook *webhook)
{
    return !avitoi_webhook_is_ready(webhook) ||
           (webhook->priv.out_len == 0 && (webhook->priv.flags & AVITOI_WEBHOOK_CLOSING) != 0);
}

AVITO_API int avito_webhook_status(const avito_webhook *webhook)
{
    return webhook != NULL ? (int)webhook->priv.status : 0;
}

/* ======================================================================= *
 * >>76 INBOX: WHAT IT REMEMBERS
 * ======================================================================= *
 *
 * avito_inbox_next() runs the handler of the present phase until one of them has something for the
 * caller, has to wait, or has done much. All changes of phase are in the table below and go through
 * avitoi_inbox_move(); what each phase is for is in the manual (>>51), beside that table.
 *
 * A round goes through the chats that may hold something new:
 *
 *   SCAN reads a page of chats, compares each row with the record of its chat, and queues the chats
 *   that are due at the low end of the arena. NEXT takes one chat off the queue. READ reads its
 *   messages, newest first, and keeps the new ones in the arena, after the queue. GIVE hands them to
 *   the caller, oldest first.
 *
 * What is kept are always the oldest of the new messages: when the arena is full, all of them make
 * room for older ones. So a chat with more than fit is read upwards afterwards, in windows. Each
 * ends at the newest row that needs no more reading (`above`, `first`). A window of one row fetches
 * a message that did not fit beside others.
 *
 * Comes in: ids, times and hashes of what was read. Goes out: whether it is new. May not read from the
 * lane.
 */

/* ---- phases ---- */

enum {
    AVITOI_INBOX_WAIT,
    AVITOI_INBOX_SCAN,
    AVITOI_INBOX_NEXT,
    AVITOI_INBOX_READ,
    AVITOI_INBOX_GIVE,
    AVITOI_INBOX_HANDED,
    AVITOI_INBOX_OFFERED,
    AVITOI_INBOX_MARK,
    AVITOI_INBOX_STATES
};

/* X(event, the phase that it leads to, the phases in which it may come):
 *
 *     PAGE     a page of chats is wanted
 *     OVER     the page, or the chat in work, is done
 *     CHAT     messages of the chat in work are wanted
 *     KEPT     what is kept of it comes next
 *     HAND     a message of the chat, or its error, goes to the caller
 *     OFFER    a notification goes to the caller
 *     MARK     the chat is to be marked as read
 *     REST     the round is over, or pauses after a failure */
#define AVITOI_INBOX_IN(phase) (1u << AVITOI_INBOX_##phase)
#define AVITOI_INBOX_EDGES(X)                                                                      \
    X(PAGE, SCAN, AVITOI_INBOX_IN(WAIT) | AVITOI_INBOX_IN(SCAN) | AVITOI_INBOX_IN(NEXT))           \
    X(OVER, NEXT, AVITOI_INBOX_IN(WAIT) | AVITOI_INBOX_IN(SCAN) | AVITOI_INBOX_IN(GIVE))           \
    X(CHAT, READ,                                                                                  \
      AVITOI_INBOX_IN(WAIT) | AVITOI_INBOX_IN(NEXT) | AVITOI_INBOX_IN(READ) | AVITOI_INBOX_IN(GIVE) | \
          AVITOI_INBOX_IN(MARK))                                                                   \
    X(KEPT, GIVE, AVITOI_INBOX_IN(READ) | AVITOI_INBOX_IN(HANDED))                                 \
    X(HAND, HANDED, AVITOI_INBOX_IN(GIVE))                                                         \
    X(OFFER, OFFERED, AVITOI_INBOX_IN(WAIT))                                                       \
    X(MARK, MARK, AVITOI_INBOX_IN(GIVE) | AVITOI_INBOX_IN(MARK))                                   \
    X(REST, WAIT,                                                                                  \
      AVITOI_INBOX_IN(WAIT) | AVITOI_INBOX_IN(SCAN) | AVITOI_INBOX_IN(NEXT) | AVITOI_INBOX_IN(READ) | \
          AVITOI_INBOX_IN(GIVE) | AVITOI_INBOX_IN(OFFERED) | AVITOI_INBOX_IN(MARK))
#define AVITOI_INBOX_EVENT_(event, next, phases) AVITOI_INBOX_EV_##event,
#define AVITOI_INBOX_EDGE_(event, next, phases) {phases, AVITOI_INBOX_##next},
enum { AVITOI_INBOX_EDGES(AVITOI_INBOX_EVENT_) AVITOI_INBOX_EVENTS };

static const struct {
    uint8_t phases, next;
} avitoi_inbox_edges[] = {AVITOI_INBOX_EDGES(AVITOI_INBOX_EDGE_)};
AVITOI_ASSERT(inbox_phases_have_a_bit_each, AVITOI_INBOX_STATES <= 8);

/* How far the inbox has come. */
enum {
    AVITOI_INBOX_NEW,    /* nothing was ever saved: how new is what is there? */
    AVITOI_INBOX_LEARNS, /* AVITO_START_NOW: a round learns what is there in the newest second */
    AVITOI_INBOX_UNREAD, /* AVITO_START_UNREAD: the first round */
    AVITOI_INBOX_RUNS
};

/* What becomes of the list in work: it goes on, ends before its end, or is read again. */
enum { AVITOI_INBOX_THEN_ON, AVITOI_INBOX_THEN_OVER, AVITOI_INBOX_THEN_AGAIN };

/* The mark of the chat in work. */
enum {
    AVITOI_INBOX_MARK_NONE, /* nothing was given that is not marked */
    AVITOI_INBOX_MARK_OWED,
    AVITOI_INBOX_MARK_RETRY, /* it failed once, and is retried */
    AVITOI_INBOX_MARK_DONE   /* it is done, or will not be done in this round */
};

/* Flaws of a look at a chat: why it does not tell all. */
#define AVITOI_INBOX_CUT       1u /* it ended at the message that was accepted last */
#define AVITOI_INBOX_FRESH     2u /* it found something new */
#define AVITOI_INBOX_ODD       4u /* a message has a time that is not believed */
#define AVITOI_INBOX_LACKS     8u /* something could not be read */
#define AVITOI_INBOX_SCATTERED 16u /* its rows are not in the order of their times: all are read */
#define AVITOI_INBOX_SAID      32u /* AVITO_INBOX_TIME was raised */

/* After twenty minutes of rounds with an error the horizon moves on all the same: five rounds that are five
 * minutes apart. A clock that jumps makes up for one of them at most, and a clock that wraps for none. */
#define AVITOI_INBOX_PATIENCE    5u
#define AVITOI_INBOX_PATIENCE_MS 300000u
#define AVITOI_INBOX_EMPTY_PAGES 8u   /* in a round, that are read again */
#define AVITOI_INBOX_RESTARTS    100u /* of lists, from one pause to the next */
#define AVITOI_INBOX_STARTS      8u   /* passes that look for the newest chat while it changes */
#define AVITOI_INBOX_EXTRA       8u   /* passes for chats that moved up meanwhile */
#define AVITOI_INBOX_LATE        20u  /* late looks in a round */
#define AVITOI_INBOX_STEPS       64u  /* of one call: a row is one, a request is four */
#define AVITOI_INBOX_DRAIN       65536u /* bytes of a list that are rather read than another connection made */
#define AVITOI_INBOX_SLACK_S     300u /* how far ahead of the service's Date a time is believed */
#define AVITOI_INBOX_RESERVE     320u /* free after what is kept: for the id of the next row */
#define AVITOI_INBOX_QUEUE_MIN   (72u + sizeof(struct avitoi_inbox_queued)) /* holds any chat */
#define AVITOI_INBOX_QUEUE_MAX   4800u
#define AVITOI_INBOX_ARENA_MIN   512u

/* What a handler returns when the lane's last error is about one row, and the list goes on. */
#define AVITOI_INBOX_SAYS 48

/* An event that the phase does not know is a defect of this file: the inbox stays where it is. */
static avitoi_call_result avitoi_inbox_move(avito_inbox *in, unsigned event)
{
    if ((avitoi_inbox_edges[event].phases >> in->priv.phase & 1u) == 0) {
        return AVITO_ERR_ARGUMENT;
    }
    in->priv.phase = avitoi_inbox_edges[event].next;
    in->priv.open = false;
    in->priv.then = AVITOI_INBOX_THEN_ON;
    in->priv.rows = 0;
    return AVITOI_CALL_MOVED;
}

/* Raises an event. The call ends with this step, so that avito_inbox_about() is about it. */
AVITOI_APART static void avitoi_inbox_raise(avito_inbox *in, unsigned event)
{
    in->priv.events = (uint8_t)(in->priv.events | event);
    in->priv.raised = true;
}

/* ---- the stored state ---- */

static uint32_t avitoi_inbox_clock(const avito_inbox *in)
{
    return avitoi_account_now(in->client->account);
}

/* Little endian on every machine. The ring follows it, in no order. The slot is sequence & 1, so the slot
 * that was good last is never the one being written. */
struct avitoi_inbox_state {
    uint8_t magic[4]; /* "AVI1" */
    uint8_t sequence[4];
    uint8_t check[4]; /* crc32 from `horizon` on, xor sequence */
    uint8_t horizon[4];
    uint8_t again[4];    /* the sequence once more, under the check; 0: saved by version 0.1.0 */
    uint8_t first_round; /* 1: the first round of AVITO_START_UNREAD is not done */
    uint8_t unused[3];
    uint8_t account[8]; /* user_id; 0: the same */
};

/* An id that was accepted. All zero: empty. A time that is not believed is kept as it is: UINT32_MAX for
 * none. */
struct avitoi_inbox_entry {
    uint8_t hash[8];
    uint8_t created[4];
};

AVITOI_ASSERT(inbox_state_size, AVITO_INBOX_STATE_SIZE(1) == sizeof(struct avitoi_inbox_state) +
                                                                 sizeof(struct avitoi_inbox_entry));

static AVITOI_INLINE uint32_t avitoi_inbox_get(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void avitoi_inbox_put(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
    p[2] = (uint8_t)(value >> 16);
    p[3] = (uint8_t)(value >> 24);
}

/* What four bits of a CRC-32 become. */
static uint32_t avitoi_inbox_crc32_step(uint32_t crc)
{
#if AVITO_WITH_SHORTCUTS
    static const uint32_t steps[16] = {
        0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u,
        0x4db26158u, 0x5005713cu, 0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu,
        0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu};
    return (crc >> 4) ^ steps[crc & 15u];
#else
    unsigned bit;
    for (bit = 0; bit < 4; bit++) {
        crc = (crc >> 1) ^ ((crc & 1u) != 0 ? 0xedb88320u : 0u);
    }
    return crc;
#endif
}

static uint32_t avitoi_inbox_crc32(const uint8_t *p, size_t len)
{
    uint32_t crc = ~(uint32_t)0;
    for (; len > 0; len--) {
        crc = avitoi_inbox_crc32_step(avitoi_inbox_crc32_step(crc ^ *p++));
    }
    return ~crc;
}

static struct avitoi_inbox_state *avitoi_inbox_state_of(const avito_inbox *in)
{
    return (struct avitoi_inbox_state *)in->o.state;
}

static AVITOI_INLINE uint32_t avitoi_inbox_horizon(const avito_inbox *in)
{
    return avitoi_inbox_get(avitoi_inbox_state_of(in)->horizon);
}

static struct avitoi_inbox_entry *avitoi_inbox_ring(const avito_inbox *in)
{
    return (struct avitoi_inbox_entry *)(void *)(avitoi_inbox_state_of(in) + 1);
}

/* The end of the ring; avito_inbox_init() sees to it that nothing is left over. */
static struct avitoi_inbox_entry *avitoi_inbox_ring_end(const avito_inbox *in)
{
    return (struct avitoi_inbox_entry *)(void *)((char *)in->o.state + in->o.state_cap);
}

static AVITOI_INLINE bool avitoi_inbox_ring_is(const struct avitoi_inbox_entry *p, uint64_t hash)
{
    return avitoi_inbox_get(p->hash) == (uint32_t)hash &&
           avitoi_inbox_get(p->hash + 4) == (uint32_t)(hash >> 32);
}

/* ---- time, as the service has it ---- */

AVITOI_APART static uint32_t avitoi_inbox_seconds(int64_t time)
{
    return time < 0 ? 0u : time > (int64_t)UINT32_MAX ? UINT32_MAX : (uint32_t)time;
}

/* As the ring keeps it, which takes 0 for an empty entry. */
static uint32_t avitoi_inbox_dated(uint32_t time)
{
    return time != 0 ? time : UINT32_MAX;
}

/* The smaller Date of the last two answers, so that one wrong digit takes nothing with it; 0: not
 * known. */
static uint32_t avitoi_inbox_now(const avito_inbox *in)
{
    return in->priv.date < in->priv.before ? in->priv.date : in->priv.before;
}

/* The last time that is believed: slack counts from the larger Date of the two. What does not fit 32
 * bits, as milliseconds do not, is never believed. */
static uint32_t avitoi_inbox_ceiling(const avito_inbox *in)
{
    const uint32_t late = in->priv.date > in->priv.before ? in->priv.date : in->priv.before;
    return avitoi_inbox_now(in) == 0 ? UINT32_MAX - 1u : late + AVITOI_INBOX_SLACK_S; /* a Date ends in 2105 */
}

AVITOI_APART static bool avitoi_inbox_is_odd(const avito_inbox *in, uint32_t time)
{
    return time == 0 || time > avitoi_inbox_ceiling(in);
}

/* ---- the ring ---- */

/* The age of an id in the ring. The oldest is forgotten first, which does no harm below the horizon. A time
 * that is not believed says nothing about age: such an id counts as old as the horizon, so it stays as long
 * as there is an older one, and then makes room for others. */
static uint32_t avitoi_inbox_ring_age(const avito_inbox *in, uint32_t created)
{
    return created > avitoi_inbox_ceiling(in) ? avitoi_inbox_horizon(in) : created;
}

/* Finds the entry of a message, else an empty one, else that of the oldest message. The search begins at
 * another place each time: otherwise two messages that are still listed would replace each other for ever. */
static struct avitoi_inbox_entry *avitoi_inbox_ring_find(const avito_inbox *in, uint64_t hash)
{
    struct avitoi_inbox_entry *const ring = avitoi_inbox_ring(in), *const end = avitoi_inbox_ring_end(in);
    const uint32_t count = (uint32_t)(end - ring);
    struct avitoi_inbox_entry *p = ring + avitoi_inbox_get(avitoi_inbox_state_of(in)->sequence) % count;
    struct avitoi_inbox_entry *oldest = p;
    uint32_t left = count, least = UINT32_MAX;
    for (; left > 0; left--) {
        const uint32_t age = avitoi_inbox_ring_age(in, avitoi_inbox_get(p->created));
        if (avitoi_inbox_ring_is(p, hash)) {
            return p;
        }
        if (age < least) {
            least = age;
            oldest = p;
        }
        p = p + 1 < end ? p + 1 : ring;
    }
    return oldest;
}

static bool avitoi_inbox_ring_has(const avito_inbox *in, uint64_t hash)
{
    return avitoi_inbox_ring_is(avitoi_inbox_ring_find(in, hash), hash);
}

/* Time of the oldest message; 0: the ring is not full. */
static uint32_t avitoi_inbox_ring_oldest(const avito_inbox *in)
{
    return avitoi_inbox_get(avitoi_inbox_ring_find(in, 0)->created);
}

/* More than three quarters of the ring are needed: the horizon must move, which helps where times are
 * believed. */
static bool avitoi_inbox_ring_pressed(const avito_inbox *in)
{
    const struct avitoi_inbox_entry *p = avitoi_inbox_ring(in), *const end = avitoi_inbox_ring_end(in);
    const uint32_t horizon = avitoi_inbox_horizon(in);
    uint32_t count = 0, needed = 0;
    for (; p < end; p++) {
        const uint32_t created = avitoi_inbox_get(p->created);
        count++;
        if (created >= horizon && !avitoi_inbox_is_odd(in, created)) {
            needed++;
        }
    }
    return needed > count - count / 4u;
}

static bool avitoi_inbox_overflows(const avito_inbox *in)
{
    return in->priv.overrun || in->priv.odd_lost;
}

/* A message that a full ring forgets, or does not learn, may be given again if its row is still read: an
 * overrun. 0: the ring is not full. Where the time is not believed, the horizon need not move. */
static void avitoi_inbox_ring_forgets(avito_inbox *in, uint32_t created)
{
    if (created > 0 &&
        (created >= avitoi_inbox_horizon(in) || in->priv.stage == AVITOI_INBOX_UNREAD)) {
        in->priv.events |= AVITO_INBOX_OVERRUN;
        if (!avitoi_inbox_overflows(in)) { /* once in a round */
            in->priv.raised = true;
        }
        if (avitoi_inbox_is_odd(in, created)) {
            in->priv.odd_lost = true;
        } else {
            in->priv.overrun = true;
        }
    }
}

/* An id that is not there yet. */
static void avitoi_inbox_ring_add(avito_inbox *in, uint64_t hash, uint32_t created)
{
    struct avitoi_inbox_entry *p = avitoi_inbox_ring_find(in, hash);
    const uint32_t oldest = avitoi_inbox_get(p->created);
    const bool fits = avitoi_inbox_ring_age(in, oldest) <= avitoi_inbox_ring_age(in, created);
    avitoi_inbox_ring_forgets(in, fits ? oldest : created);
    if (fits) {
        avitoi_inbox_put(p->hash, (uint32_t)hash);
        avitoi_inbox_put(p->hash + 4, (uint32_t)(hash >> 32));
        avitoi_inbox_put(p->created, created);
    }
}

/* What `check` must be. */
static uint32_t avitoi_inbox_sum(const struct avitoi_inbox_state *s, size_t len)
{
    const size_t from = offsetof(struct avitoi_inbox_state, horizon);
    return avitoi_inbox_crc32((const uint8_t *)s + from, len - from) ^ avitoi_inbox_get(s->sequence);
}

/* Makes `code`, which is of no call, the lane's last error, and returns it. */
AVITOI_APART static int avitoi_inbox_set_error(avito_inbox *in, int code, int detail)
{
    avitoi_call_forget_error(in->client);
    in->client->error.code = code;
    in->client->error.detail = detail;
    return code;
}

/* Hands the state to the application: with the next sequence number, in the slot that does not hold the
 * last one. */
static int avitoi_inbox_save(avito_inbox *in)
{
    struct avitoi_inbox_state *s = avitoi_inbox_state_of(in);
    const uint32_t sequence = avitoi_inbox_get(s->sequence) + 1u;
    const size_t len = in->o.state_cap;
    int rc = AVITO_OK;
    avitoi_inbox_put(s->sequence, sequence);
    avitoi_inbox_put(s->again, sequence);
    avitoi_inbox_put(s->check, avitoi_inbox_sum(s, len));
    if (in->o.save != NULL) {
        in->client->priv.inside = true;
        rc = in->o.save(in->o.ctx, (int)(sequence & 1u), s, len);
        (void)avitoi_machine_leave(in->client, AVITO_OK);
    }
    if (rc != AVITO_OK) {
        avitoi_inbox_put(s->sequence, sequence - 1u); /* the same slot again */
        in->priv.unsaved = true;
        return avitoi_inbox_set_error(in, AVITO_ERR_HOOK, rc);
    }
    return AVITO_OK;
}

/* Did the slot get all of what was saved? If the power goes early, a new sequence may precede the rest of the
 * old state, and the check may fit by chance: the checks of two sequences are that much alike. */
static bool avitoi_inbox_is_whole(const struct avitoi_inbox_state *s, size_t len)
{
    const uint32_t again = avitoi_inbox_get(s->again);
    return memcmp(s->magic, "AVI1", 4) == 0 && avitoi_inbox_get(s->check) == avitoi_inbox_sum(s, len) &&
           (again == 0 || again == avitoi_inbox_get(s->sequence));
}

/* AVITO_OK: slot `slot` held a good state, which is now in o.state; AVITO_END: it did not; HOOK: that is
 * not known. */
static int avitoi_inbox_load_slot(avito_inbox *in, int slot)
{
    struct avitoi_inbox_state *s = avitoi_inbox_state_of(in);
    size_t len = 0;
    int rc = AVITO_END;
    memset(s, 0, in->o.state_cap);
    if (in->o.load != NULL) {
        in->client->priv.inside = true;
        rc = in->o.load(in->o.ctx, slot, s, in->o.state_cap, &len);
        (void)avitoi_machine_leave(in->client, AVITO_OK);
    }
    if (rc != AVITO_OK) {
        return rc == AVITO_END ? (int)AVITO_END : avitoi_inbox_set_error(in, AVITO_ERR_HOOK, rc);
    }
    if (len < sizeof *s || len > in->o.state_cap || !avitoi_inbox_is_whole(s, len)) {
        in->priv.events |= AVITO_INBOX_STATE_LOST; /* unless the other slot is good */
        return AVITO_END;
    }
    return AVITO_OK;
}

/* The newer of the two slots; AVITO_END: neither is good. */
static int avitoi_inbox_load_newest(avito_inbox *in)
{
    struct avitoi_inbox_state *s = avitoi_inbox_state_of(in);
    int first = avitoi_inbox_load_slot(in, 0);
    const uint32_t sequence = avitoi_inbox_get(s->sequence);
    const int second = first < 0 ? first : avitoi_inbox_load_slot(in, 1);
    const int32_t ahead = (int32_t)(avitoi_inbox_get(s->sequence) - sequence);
    if (second < 0 || first == AVITO_END || (second == AVITO_OK && ahead > 0)) {
        return second;
    }
    first = avitoi_inbox_load_slot(in, 0); /* which it gave before */
    return first == AVITO_END ? avitoi_inbox_set_error(in, AVITO_ERR_HOOK, first) : first;
}

/* The newest whole state that is stored, or a new one. Another account's is refused. A power cut may have
 * left marks undone or an overrun unreported: both are made up for. */
static int avitoi_inbox_load(avito_inbox *in)
{
    struct avitoi_inbox_state *s = avitoi_inbox_state_of(in);
    const uint32_t id[2] = {(uint32_t)in->o.user_id, (uint32_t)((uint64_t)in->o.user_id >> 32)};
    const int rc = avitoi_inbox_load_newest(in);
    uint32_t low, high;
    if (rc < 0) {
        return rc;
    }
    if (rc == AVITO_END) {
        memset(s, 0, in->o.state_cap);
        memcpy(s->magic, "AVI1", 4);
    }
    low = avitoi_inbox_get(s->account);
    high = avitoi_inbox_get(s->account + 4);
    if ((low | high) != 0 && (low != id[0] || high != id[1])) {
        return AVITO_ERR_OPTION_STATE;
    }
    avitoi_inbox_put(s->account, id[0]);
    avitoi_inbox_put(s->account + 4, id[1]);
    if (rc == AVITO_OK) {
        in->priv.stage = s->first_round != 0 ? AVITOI_INBOX_UNREAD : AVITOI_INBOX_RUNS;
        in->priv.all_chats = true; /* a mark may have been underway when the power went */
        in->priv.owes_marks = 1;
        in->priv.events = 0;
        avitoi_inbox_ring_forgets(in, avitoi_inbox_ring_oldest(in)); /* it may not have been reported */
    }
    return AVITO_OK;
}

static uint32_t avitoi_inbox_minus_overlap(const avito_inbox *in, uint32_t time)
{
    return time > in->o.overlap_s ? time - in->o.overlap_s : 0u;
}

/* ---- records of chats, in the caller's memory ---- */

/* What is remembered of a chat. Each chat that moved gets a late look: it is read once more when nothing in it
 * can be late any more. */
struct avitoi_inbox_record {
    uint32_t chat;         /* hash of its id; 0: empty */
    uint32_t row, updated; /* its row as it was before the last look: avitoi_inbox_row_hash(), 0: doubted,
                              with AVITOI_INBOX_REFUSED: that look was refused; and the row's time */
    uint32_t moved;        /* when it changed, never ahead of the service's clock */
    uint32_t until;        /* when its late look is due; 0: that is done */
};

#define AVITOI_INBOX_WEAK    1u /* the row does not name its last message */
#define AVITOI_INBOX_REFUSED 2u
#define AVITOI_INBOX_ROW     4u /* set in every row */

AVITOI_ASSERT(inbox_record_size,
              AVITO_INBOX_CHATS_SIZE(2) - AVITO_INBOX_CHATS_SIZE(1) == sizeof(struct avitoi_inbox_record));

/* What a record says of a row. */
enum {
    AVITOI_INBOX_RECORD_NONE,
    AVITOI_INBOX_RECORD_DIFFERS, /* the chat has changed since the last look */
    AVITOI_INBOX_RECORD_SETTLED, /* it has not changed, and nothing in it can be late */
    AVITOI_INBOX_RECORD_MOVES,   /* it has changed while its late look was still to come */
    AVITOI_INBOX_RECORD_WAITS,   /* it has not changed, and its late look is to come */
    AVITOI_INBOX_RECORD_LATE     /* it has not changed, and its late look is due */
};

/* Records are a part: avito_enable_inbox_records(). */
struct avitoi_inbox_records {
    void (*begin)(avito_inbox *in);
    void (*doubt)(const avito_inbox *in);
    unsigned (*count)(const avito_inbox *in); /* those that are needed */
    unsigned (*compare)(avito_inbox *in, uint32_t chat, uint32_t hash, uint32_t time);
    void (*looked)(avito_inbox *in, bool refused); /* a look at the chat in work is over */
};

#define AVITOI_INBOX_RECORDS(in) ((struct avitoi_inbox_record *)(in)->o.chats)

AVITOI_APART static struct avitoi_inbox_record *avitoi_inbox_record_find(const avito_inbox *in, uint32_t chat)
{
    struct avitoi_inbox_record *r = AVITOI_INBOX_RECORDS(in);
    size_t left = in->o.chats_cap;
    for (; left > 0; left--, r++) {
        if (r->chat == chat) {
            return r;
        }
    }
    return NULL;
}

/* Is the record needed? Its late look is still to come, or the horizon has not passed it. */
static bool avitoi_inbox_record_counts(const avito_inbox *in, const struct avitoi_inbox_record *r)
{
    return r->until != 0 || r->moved >= avitoi_inbox_horizon(in);
}

static unsigned avitoi_inbox_records_count(const avito_inbox *in)
{
    const struct avitoi_inbox_record *r = AVITOI_INBOX_RECORDS(in);
    size_t left = in->o.chats_cap;
    unsigned count = 0;
    for (; left > 0; left--, r++) {
        count += (r->chat != 0 && avitoi_inbox_record_counts(in, r)) ? 1u : 0u;
    }
    return count;
}

static void avitoi_inbox_records_doubt(const avito_inbox *in)
{
    struct avitoi_inbox_record *r = AVITOI_INBOX_RECORDS(in);
    size_t left = in->o.chats_cap;
    for (; left > 0; left--, r++) {
        r->row = 0;
    }
}

/* Finds room for a new one: an empty one, or the one that moved longest ago. NULL: all are needed. */
static struct avitoi_inbox_record *avitoi_inbox_record_new(avito_inbox *in)
{
    struct avitoi_inbox_record *r = AVITOI_INBOX_RECORDS(in), *oldest = r;
    size_t left = in->o.chats_cap;
    for (; left > 0 && oldest->chat != 0; left--, r++) {
        oldest = r->chat == 0 || r->moved < oldest->moved ? r : oldest;
    }
    if (in->o.chats_cap == 0 || (oldest->chat != 0 && avitoi_inbox_record_counts(in, oldest))) {
        in->priv.spilled = true;
        return NULL;
    }
    return oldest;
}

/* Notes the chat in work, if there is room. */
static void avitoi_inbox_record_put(avito_inbox *in, uint32_t row, uint32_t moved, uint32_t until)
{
    struct avitoi_inbox_record *r = avitoi_inbox_record_find(in, in->priv.chat);
    r = r != NULL ? r : avitoi_inbox_record_new(in);
    if (r != NULL) {
        r->chat = in->priv.chat;
        r->row = row;
        r->updated = in->priv.chat_updated;
        r->moved = moved;
        r->until = until > in->priv.look ? until : in->priv.look + 1u;
    }
}

/* The look at the chat in work is over; its row was as `chat_row` says before it began. */
static void avitoi_inbox_record_read(avito_inbox *in)
{
    struct avitoi_inbox_record *r = avitoi_inbox_record_find(in, in->priv.chat);
    const uint32_t look = in->priv.look;
    const bool flawed = (in->priv.flaws & (AVITOI_INBOX_CUT | AVITOI_INBOX_ODD)) != 0;
    const bool again = r != NULL && r->row == in->priv.chat_row && r->updated == in->priv.chat_updated;
    uint32_t moved = in->priv.chat_updated;
    if (look == 0 || (in->priv.flaws & AVITOI_INBOX_LACKS) != 0 ||
        in->priv.stage == AVITOI_INBOX_LEARNS) {
        if (r != NULL) {
            r->row = 0;
        }
        return;
    }
    if (again && !flawed) {
        r->until = look >= r->until ? 0u : r->until;
        return;
    }
    /* An odd time puts the late look off. The horizon waits for it once: a digit may have changed. 0: none. */
    if (moved - 1u >= look || (again && (in->priv.flaws & AVITOI_INBOX_ODD) != 0)) {
        moved = look;
    }
    avitoi_inbox_record_put(in, in->priv.chat_row, moved,
                            (flawed ? look : moved) + in->o.overlap_s);
}

/* The service says that the chat is not there, or not ours. It is asked for again when it moves, or the
 * overlap has passed; until then the horizon stays. */
static void avitoi_inbox_record_refused(avito_inbox *in)
{
    if (avitoi_inbox_now(in) != 0) {
        in->priv.look = avitoi_inbox_now(in);
        avitoi_inbox_record_put(in, in->priv.chat_row | AVITOI_INBOX_REFUSED,
                                avitoi_inbox_horizon(in) + in->o.overlap_s,
                                in->priv.look + in->o.overlap_s);
    }
}

static void avitoi_inbox_record_looked(avito_inbox *in, bool refused)
{
    if (refused) {
        avitoi_inbox_record_refused(in);
    } else {
        avitoi_inbox_record_read(in);
    }
}

/* A chat that waits for its late look holds the horizon. */
static unsigned avitoi_inbox_record_waits(avito_inbox *in, const struct avitoi_inbox_record *r)
{
    if (avitoi_inbox_now(in) >= r->until && in->priv.extra == 0 && in->priv.late_left > 0) {
        in->priv.late_left--;
        return AVITOI_INBOX_RECORD_LATE;
    }
    in->priv.sure = in->priv.sure < r->moved ? in->priv.sure : r->moved;
    if ((r->row & AVITOI_INBOX_REFUSED) != 0) {
        in->priv.missed = true;
    }
    return AVITOI_INBOX_RECORD_WAITS;
}

/* Is the row as it was before the last look? A row that says nothing never is. */
static unsigned avitoi_inbox_record_compare(avito_inbox *in, uint32_t chat, uint32_t hash, uint32_t time)
{
    const struct avitoi_inbox_record *r = avitoi_inbox_record_find(in, chat);
    if (r == NULL) {
        return AVITOI_INBOX_RECORD_NONE;
    }
    if (avitoi_inbox_now(in) == 0 || r->updated != time ||
        (r->row & ~AVITOI_INBOX_REFUSED) != hash ||
        ((hash & AVITOI_INBOX_WEAK) != 0 && time == 0)) {
        return r->until != 0 ? AVITOI_INBOX_RECORD_MOVES : AVITOI_INBOX_RECORD_DIFFERS;
    }
    if (r->until == 0) {
        return AVITOI_INBOX_RECORD_SETTLED;
    }
    return avitoi_inbox_record_waits(in, r);
}

/* Aligns the memory for records; from here on it is counted in records. */
static void avitoi_inbox_records_begin(avito_inbox *in)
{
    const size_t skew = (0u - (size_t)(uintptr_t)in->o.chats) & (AVITOI_ARENA_ALIGN - 1u);
    const size_t cap = in->o.chats != NULL && in->o.chats_cap > skew ? in->o.chats_cap - skew : 0u;
    in->o.chats_cap = cap / sizeof(struct avitoi_inbox_record);
    if (in->o.chats_cap > 0) {
        in->o.chats = (char *)in->o.chats + skew;
        memset(in->o.chats, 0, in->o.chats_cap * sizeof(struct avitoi_inbox_record));
    }
}

static const struct avitoi_inbox_records avitoi_inbox_records_part = {
    avitoi_inbox_records_begin, avitoi_inbox_records_doubt, avitoi_inbox_records_count,
    avitoi_inbox_record_compare, avitoi_inbox_record_looked};

AVITO_API void avito_enable_inbox_records(avito_inbox_options *options)
{
    if (options != NULL) {
        options->records = &avitoi_inbox_records_part;
    }
}

/* ======================================================================= *
 * >>77 INBOX: LISTS
 * ======================================================================= *
 *
 * What one poll keeps in the arena, and how a list of chats or of messages is begun. Comes in: rows. Goes
 * out: a queue of chats that are due, and the oldest new messages of one chat. May not save the state.
 */

/* ---- the arena: the queue of chats, then what is kept of one ---- */

/* A chat of the queue, after its id. The last one in is the first one out: of a page, the chat that was
 * updated least recently. */
struct avitoi_inbox_queued {
    uint32_t chat, row, updated;
    uint32_t id_size; /* aligned, with its NUL */
};

/* A message that waits for its turn, after its strings. */
struct avitoi_inbox_kept {
    avito_message message;
    uint64_t hash;
    uint32_t created;
    uint32_t newer; /* where the next one is; 0: none */
};

static size_t avitoi_inbox_queue_within(size_t share)
{
    return share < AVITOI_INBOX_QUEUE_MIN   ? AVITOI_INBOX_QUEUE_MIN
           : share < AVITOI_INBOX_QUEUE_MAX ? share
                                            : AVITOI_INBOX_QUEUE_MAX;
}

/* An eighth of the arena. */
AVITOI_APART static size_t avitoi_inbox_queue_room(const avito_inbox *in)
{
    return avitoi_inbox_queue_within(in->o.arena->cap / 8u & ~(size_t)(AVITOI_ARENA_ALIGN - 1u));
}

/* The arena in which the row that came last would have fitted, beside the queue's eighth. */
static size_t avitoi_inbox_arena_needed(const avito_inbox *in)
{
    const size_t row = avitoi_arena_align(in->client->priv.json.mem.peak) + sizeof(struct avitoi_inbox_kept);
    return avitoi_arena_needed(row + avitoi_inbox_queue_within(row / 7u));
}

/* Bytes of the arena that are in use between two lists. */
static size_t avitoi_inbox_held(const avito_inbox *in)
{
    return in->priv.kept != 0 ? in->priv.kept + sizeof(struct avitoi_inbox_kept)
                              : in->priv.queue_end;
}

/* Are the first `held` bytes still what the inbox put there? */
static bool avitoi_inbox_arena_ours(const avito_inbox *in, size_t held)
{
    const avito_arena *arena = in->o.arena;
    return arena->fills == in->priv.fills && arena->used >= held && !arena->busy;
}

/* Gives up what is after the first `held` bytes. */
static void avitoi_inbox_arena_hold(avito_inbox *in, size_t held)
{
    if (!in->o.arena->busy) {
        in->o.arena->used = held;
    }
}

/* Gives up the queue: its chats are found again, from the first page on. */
static void avitoi_inbox_queue_lose(avito_inbox *in)
{
    in->priv.queue_end = 0;
    in->priv.scan_offset = 0;
    in->priv.more = true;
}

/* Gives up the kept messages, and the queue too if the program has used the arena. */
static void avitoi_inbox_arena_to_queue(avito_inbox *in)
{
    if (in->priv.queue_end > 0 && !avitoi_inbox_arena_ours(in, in->priv.queue_end)) {
        avitoi_inbox_queue_lose(in);
    }
    in->priv.kept = 0;
    avitoi_inbox_arena_hold(in, in->priv.queue_end);
}

/* ---- rows ---- */

/* A chat or a message of a list, or what was reached of it. */
struct avitoi_inbox_row {
    avito_str id;
    uint64_t key;  /* by which the ring knows it: the hash of its id, or of chat and time */
    uint32_t time; /* of the last update, or of creation; 0: it does not say */
    int rc;        /* < 0: it does not fit or breaks the model */
    const avito_message *message; /* the chat's last one, or this one; or NULL */
};

/* A short hash, to compare a row with one that was seen before. 0: none. */
static uint32_t avitoi_inbox_short_hash(uint64_t key)
{
    return (uint32_t)key | 1u;
}

static uint64_t avitoi_inbox_key(const avito_inbox *in)
{
    return ((uint64_t)in->priv.key[1] << 32) | in->priv.key[0];
}

static void avitoi_inbox_key_put(avito_inbox *in, uint64_t key)
{
    in->priv.key[0] = (uint32_t)key;
    in->priv.key[1] = (uint32_t)(key >> 32);
}

/* Makes `rc`, which is about this row, the lane's last error. */
static int avitoi_inbox_set_row_error(avito_inbox *in, int rc, avito_str id, const char *field)
{
    avito_client *c = in->client;
    memset(&c->error, 0, sizeof c->error);
    c->error.code = rc;
    avitoi_error_quote(c, id);
    if (rc == AVITO_ERR_ARENA) {
        c->error.needed = avitoi_inbox_arena_needed(in);
    } else {
        avitoi_error_add(c, ": ", 2);
        avitoi_error_add(c, field, strlen(field));
    }
    avitoi_error_hide_secrets(c); /* an id is whatever the service says */
    return rc;
}

/* Which field of the row is wrong. */
static const char *avitoi_inbox_culprit(const avito_inbox *in, const struct avitoi_inbox_row *row,
                                        const char *time)
{
    return row->rc < 0 ? in->client->priv.json.culprit : row->id.len == 0 ? "id" : time;
}

/* Is this row to be reported? From now on it counts as reported. */
static bool avitoi_inbox_report_once(avito_inbox *in, uint64_t key)
{
    if (avitoi_inbox_ring_has(in, key)) {
        return false;
    }
    avitoi_inbox_ring_add(in, key, UINT32_MAX);
    in->priv.unsaved = true;
    return true;
}

/* Rows of one answer are to be in the order of their times, the newest first. That is said once. */
AVITOI_APART static bool avitoi_inbox_out_of_order(avito_inbox *in, uint32_t time)
{
    if (time <= in->priv.row_created || in->priv.rows <= 1u) {
        return false;
    }
    if (!in->priv.disorder) {
        in->priv.disorder = true;
        avitoi_inbox_raise(in, AVITO_INBOX_DISORDER);
    }
    return true;
}

/* ---- pauses and failures ---- */

/* While notifications come, polls are only a check, and rare. They are rare, too, while messages come again
 * that no horizon tells from others. */
static uint32_t avitoi_inbox_round_pause(avito_inbox *in)
{
    const uint32_t silent = avitoi_inbox_clock(in) - in->priv.heard_ms;
    if (silent >= in->o.slow_poll_ms) { /* forgotten: the clock comes round to that time again */
        in->priv.heard_ms = 0;
    }
    return in->priv.heard_ms != 0 || in->priv.odd_lost ? in->o.slow_poll_ms : in->o.poll_ms;
}

/* Waits, and goes on with the phase `resume`; WAIT: with a new round. */
static void avitoi_inbox_rest(avito_inbox *in, uint32_t ms, unsigned resume)
{
    (void)avitoi_inbox_move(in, AVITOI_INBOX_EV_REST);
    in->priv.wait_from_ms = avitoi_inbox_clock(in);
    in->priv.wait_ms = ms;
    in->priv.resume = (uint8_t)resume;
}

/* Something is left out of this round. So the round does not count, and the chat in work is not marked:
 * otherwise it would not be among the unread ones when it is looked for again. */
AVITOI_APART static void avitoi_inbox_round_lacks(avito_inbox *in, int rc)
{
    in->priv.round_error = (int16_t)rc;
    if (in->priv.mark == AVITOI_INBOX_MARK_OWED || in->priv.mark == AVITOI_INBOX_MARK_RETRY) {
        in->priv.owes_marks |= 1u;
    }
    in->priv.mark = AVITOI_INBOX_MARK_DONE;
    in->priv.all_chats = true;
    in->priv.flaws |= AVITOI_INBOX_LACKS;
}

/* Does the service refuse this chat for good? That says nothing about others. */
static bool avitoi_inbox_chat_refused(int rc)
{
    return rc == AVITO_ERR_NOT_FOUND || rc == AVITO_ERR_FORBIDDEN;
}

/* A chat that failed twice, with nothing accepted in between, is left out of the round. One that is refused
 * for good is asked for again only when the overlap has passed. */
static void avitoi_inbox_leave_out(avito_inbox *in, int rc)
{
    if (avitoi_inbox_chat_refused(rc) && in->priv.stage == AVITOI_INBOX_RUNS && in->o.records != NULL) {
        in->o.records->looked(in, true);
    }
    avitoi_inbox_round_lacks(in, rc);
}

/* After a failure the round goes on where it was: so it comes to an end even if every tenth request
 * fails. */
AVITOI_APART static int avitoi_inbox_failed(avito_inbox *in, int rc)
{
    unsigned resume = AVITOI_INBOX_NEXT;
    avito_cancel(in->client);
    if (in->client->error.code != rc) { /* it is not the lane's, but ours */
        (void)avitoi_inbox_set_error(in, rc, 0);
    }
    if (in->priv.phase < AVITOI_INBOX_READ) {
        avitoi_inbox_queue_lose(in);
    } else if (in->priv.failed) {
        avitoi_inbox_leave_out(in, rc);
    } else {
        in->priv.failed = true;
        resume = AVITOI_INBOX_READ;
    }
    avitoi_inbox_arena_to_queue(in);
    avitoi_inbox_rest(in, in->o.poll_ms, resume);
    return rc;
}

/* ---- the beginning of lists ---- */

static avitoi_call_result avitoi_inbox_list(avito_inbox *in, unsigned event)
{
    in->priv.turn = false;
    in->priv.full = false;
    in->priv.found = false;
    in->priv.dropped = false;
    return avitoi_inbox_move(in, event);
}

/* Begins a page of chats, in the arena after the queue that it makes. */
AVITOI_APART static avitoi_call_result avitoi_inbox_scan(avito_inbox *in)
{
    in->priv.queue_end = 0;
    in->priv.kept = 0;
    in->priv.anchored = in->priv.scan_offset == 0;
    in->priv.offset = (uint16_t)(in->priv.scan_offset - (in->priv.anchored ? 0u : 1u));
    in->priv.scan_rows = 0;
    in->priv.chat_id[0] = '\0';
    in->priv.chat = 0;
    return avitoi_inbox_list(in, AVITOI_INBOX_EV_PAGE);
}

/* Reads the chat in work, from its newest message on. */
static avitoi_call_result avitoi_inbox_read_top(avito_inbox *in)
{
    in->priv.offset = 0;
    in->priv.above = 0;
    in->priv.limit = 0;
    in->priv.anchored = true;
    in->priv.flaws = 0;
    in->priv.window_last = 0;
    in->priv.floor = 0;
    in->priv.row_created = in->priv.chat_updated;
    return avitoi_inbox_list(in, AVITOI_INBOX_EV_CHAT);
}

/* Reads `rows` rows of it, the last of which is row `last`, known by `hash`. */
static avitoi_call_result avitoi_inbox_read_window(avito_inbox *in, unsigned last, unsigned rows,
                                                   uint32_t hash)
{
    in->priv.offset = (uint16_t)(last + 1u - rows);
    in->priv.limit = (uint8_t)rows;
    in->priv.window_last = hash;
    in->priv.anchored = false;
    in->priv.row_created = in->priv.created;
    return avitoi_inbox_list(in, AVITOI_INBOX_EV_CHAT);
}

static bool avitoi_inbox_in_window(const avito_inbox *in)
{
    return in->priv.phase == AVITOI_INBOX_READ && in->priv.window_last != 0;
}

/* Reads the list in work again from its beginning, because rows have slid. */
static avitoi_call_result avitoi_inbox_again(avito_inbox *in)
{
    in->priv.restarts++;
    if (in->priv.restarts > AVITOI_INBOX_RESTARTS) { /* more arrives than can be read */
        (void)avitoi_inbox_failed(in, AVITO_ERR_MODEL);
        return AVITO_AGAIN;
    }
    if (in->priv.phase <= AVITOI_INBOX_NEXT) {
        in->priv.scan_offset = 0;
        return avitoi_inbox_scan(in);
    }
    return avitoi_inbox_read_top(in);
}

/* A poll reads what moved within the overlap, and a few rows more. Each row may have to be read alone,
 * by its offset, which ends at 1000. */
static int avitoi_inbox_rows_wanted(const avito_inbox *in)
{
    unsigned rows = 1001u - in->priv.offset;
    if (avitoi_inbox_in_window(in)) {
        return in->priv.limit;
    }
    if (in->priv.offset == 0 && in->priv.phase == AVITOI_INBOX_READ) {
        rows = 20;
    }
    if (in->priv.offset == 0 && in->priv.phase == AVITOI_INBOX_SCAN && !in->priv.whole) {
        rows = (in->o.records != NULL ? in->o.records->count(in) : 0u) + 4u;
    }
    return rows < 100u ? (int)rows : 100;
}

/* Opens the list in work at row `offset`. What the program put into the arena meanwhile is not kept. */
static int avitoi_inbox_open(avito_inbox *in)
{
    avito_client *c = in->client;
    const bool reads = in->priv.phase == AVITOI_INBOX_READ;
    const uint32_t bare = AVITO_CHAT_LAST_MESSAGE | AVITO_MESSAGE_BARE;
    int rc =
        avitoi_client_prepare(c, reads ? &avitoi_endpoint_get_messages : &avitoi_endpoint_get_chats,
                              in->o.user_id, reads ? in->priv.chat_id : NULL, NULL);
    if (rc == AVITO_OK) {
        rc = avitoi_list_page(c, avitoi_inbox_rows_wanted(in), in->priv.offset, false,
                              reads && in->priv.stage != AVITOI_INBOX_LEARNS ? 0u : bare, 0);
        c->priv.args.as.chats.unread_only =
            in->priv.stage == AVITOI_INBOX_UNREAD ||
            (in->o.unread_only && !in->priv.all_chats && in->priv.stage != AVITOI_INBOX_NEW);
        avitoi_inbox_arena_to_queue(in); /* the program may have used it until now */
        avitoi_inbox_arena_hold(in, avitoi_inbox_queue_room(in)); /* what fits does not depend on the queue */
    }
    rc = avitoi_list_get(c, rc, in->o.arena, NULL);
    in->priv.fills = in->o.arena->fills;
    return rc;
}

/* A stored horizon that turns out to lie ahead would hide new messages: it goes back to the overlap before
 * now. */
static void avitoi_inbox_set_back(avito_inbox *in)
{
    if (avitoi_inbox_horizon(in) > avitoi_inbox_ceiling(in)) {
        avitoi_inbox_put(avitoi_inbox_state_of(in)->horizon,
                         avitoi_inbox_minus_overlap(in, avitoi_inbox_now(in)));
        in->priv.unsaved = true;
        avitoi_inbox_raise(in, AVITO_INBOX_TIME);
    }
}

/* An answer has begun. */
static void avitoi_inbox_answered(avito_inbox *in)
{
    uint32_t now;
    in->priv.before = in->priv.date;
    in->priv.date = in->client->priv.date;
    now = avitoi_inbox_now(in);
    if (in->priv.phase == AVITOI_INBOX_READ && in->priv.offset == 0 && in->priv.window_last == 0) {
        in->priv.look = now;
    }
    if (in->priv.phase == AVITOI_INBOX_SCAN && in->priv.sure == 0) {
        in->priv.sure = now != 0 ? now : 1u;
        avitoi_inbox_set_back(in);
    }
}

/* After the last row of a page: is there another one that can be reached? */
static bool avitoi_inbox_more_rows(avito_inbox *in)
{
    if (!avito_list_has_more(in->client) || in->priv.rows == 0) {
        return false;
    }
    if (in->priv.rows == 1u || in->priv.offset + in->priv.rows > 1000u) { /* pages overlap by a row */
        avitoi_inbox_raise(in, AVITO_INBOX_UNREACHABLE);
        return false;
    }
    return true;
}

/* Reads the next page of the list, which overlaps by one row. */
static avitoi_call_result avitoi_inbox_turn_page(avito_inbox *in)
{
    in->priv.offset = (uint16_t)(in->priv.offset + in->priv.rows - 1u);
    in->priv.rows = 0;
    in->priv.open = false;
    return AVITOI_CALL_MOVED;
}

/* ======================================================================= *
 * >>78 INBOX: PHASES
 * ======================================================================= *
 *
 * A handler for each phase that reads rows or gives messages. Comes in: a row, the end of a list, or an
 * error. Goes out: the next phase, by avitoi_inbox_move(). May not save the state.
 */

/* ---- SCAN: a page of chats; those that are due are queued ---- */

/* What changes with every message, beside the row's time. */
static uint32_t avitoi_inbox_row_hash(const struct avitoi_inbox_row *row)
{
    const avito_message *last = row->message;
    uint32_t hash;
    if (last == NULL || last->id.len == 0) {
        return AVITOI_INBOX_ROW | AVITOI_INBOX_WEAK;
    }
    hash = (uint32_t)avitoi_text_hash(last->id.ptr, last->id.len) + (uint32_t)last->created;
    return (hash | AVITOI_INBOX_ROW) & ~(AVITOI_INBOX_WEAK | AVITOI_INBOX_REFUSED);
}

/* Is the chat due? In an extra pass, a chat without a record is due only if it moved meanwhile, and later
 * than what was read: what it passes over, the next round reads. If its row is as it was, only what shows up
 * late can be new. */
AVITOI_APART static bool avitoi_inbox_due(avito_inbox *in, const struct avitoi_inbox_row *row,
                                          uint32_t hash, bool odd)
{
    const struct avitoi_inbox_records *records = in->o.records;
    const unsigned record = records != NULL ? records->compare(in, (uint32_t)row->key, hash, row->time)
                                            : (unsigned)AVITOI_INBOX_RECORD_NONE;
    if (!odd) {
        if (row->time < avitoi_inbox_horizon(in) && record <= AVITOI_INBOX_RECORD_SETTLED &&
            in->priv.stage != AVITOI_INBOX_UNREAD) {
            return false;
        }
        if (in->priv.extra > 0 && ((record == AVITOI_INBOX_RECORD_NONE && in->priv.spilled) ||
                                   avitoi_inbox_now(in) == 0)) {
            return row->time > in->priv.updated &&
                   (row->time > in->priv.newest || in->priv.stage != AVITOI_INBOX_RUNS);
        }
    }
    return record != AVITOI_INBOX_RECORD_SETTLED && record != AVITOI_INBOX_RECORD_WAITS;
}

/* A chat that is due goes on top of the queue. If there is no room, the page ends here for now. */
static void avitoi_inbox_queue_put(avito_inbox *in, const struct avitoi_inbox_row *row,
                                   uint32_t hash)
{
    const size_t id_size = avitoi_arena_align(row->id.len + 1u);
    const size_t end = in->priv.queue_end + id_size + sizeof(struct avitoi_inbox_queued);
    char *at = in->o.arena->base + in->priv.queue_end;
    struct avitoi_inbox_queued *q = (struct avitoi_inbox_queued *)(void *)(at + id_size);
    if (end > avitoi_inbox_queue_room(in)) {
        in->priv.full = true;
        return;
    }
    memcpy(at, row->id.ptr, row->id.len);
    at[row->id.len] = '\0';
    q->chat = (uint32_t)row->key;
    q->row = hash;
    q->updated = row->time;
    q->id_size = (uint32_t)id_size;
    in->priv.queue_end = (uint16_t)end;
}

/* Names the chat that an event or an error is about, as far as there is room. */
static void avitoi_inbox_name(avito_inbox *in, avito_str id)
{
    const size_t len = id.len < sizeof in->priv.chat_id ? id.len : sizeof in->priv.chat_id - 1u;
    memcpy(in->priv.chat_id, len > 0 ? id.ptr : "", len);
    in->priv.chat_id[len] = '\0';
}

/* A chat with an id that is too long, without an id, without a time, or that does not fit: reported
 * once. */
static avitoi_call_result avitoi_inbox_unreadable(avito_inbox *in, const struct avitoi_inbox_row *row)
{
    if (!avitoi_inbox_report_once(in, ~row->key)) {
        return AVITOI_CALL_MOVED;
    }
    avitoi_inbox_name(in, row->id);
    if (row->id.len >= sizeof in->priv.chat_id) {
        avitoi_inbox_raise(in, AVITO_INBOX_UNREACHABLE);
        return AVITOI_CALL_MOVED;
    }
    avitoi_inbox_round_lacks(in, row->rc < 0 ? row->rc : (int)AVITO_ERR_MODEL);
    (void)avitoi_inbox_set_row_error(in, in->priv.round_error, row->id,
                                     avitoi_inbox_culprit(in, row, "updated"));
    return AVITOI_INBOX_SAYS;
}

/* A new row of the list. */
AVITOI_APART static avitoi_call_result avitoi_inbox_scan_chat(avito_inbox *in,
                                                              const struct avitoi_inbox_row *row)
{
    const uint32_t hash = avitoi_inbox_row_hash(row);
    const bool odd = avitoi_inbox_is_odd(in, row->time);
    const bool fits = row->id.len - 1u < sizeof in->priv.chat_id - 1u; /* and there is one */
    in->priv.turn = in->priv.spilled && row->time >= avitoi_inbox_horizon(in);
    if (!odd) {
        (void)avitoi_inbox_out_of_order(in, row->time);
        in->priv.row_created = row->time;
        if (row->time > in->priv.updated && in->priv.extra == 0 &&
            (in->priv.offset == 0 || in->priv.disorder)) {
            in->priv.updated = row->time; /* a chat may slip by meanwhile: the next round finds it */
        }
    }
    if (in->priv.stage == AVITOI_INBOX_NEW) { /* only its time is wanted */
        return AVITOI_CALL_MOVED;
    }
    if (fits && avitoi_inbox_due(in, row, hash, odd)) {
        in->priv.turn = true;
        avitoi_inbox_queue_put(in, row, hash);
    }
    return row->rc < 0 || !fits || row->time == 0 ? avitoi_inbox_unreadable(in, row)
                                                  : AVITOI_CALL_MOVED;
}

/* A page begins with the row that ended the one before, unless rows have moved down meanwhile: those
 * before it are looked at again. */
static int avitoi_inbox_scan_row(avito_inbox *in, const struct avitoi_inbox_row *row)
{
    const uint32_t key = avitoi_inbox_short_hash(row->key);
    int rc = AVITOI_CALL_MOVED;
    if (in->priv.full) {
        return rc;
    }
    if (!in->priv.anchored && key == in->priv.scan_anchor) {
        in->priv.anchored = true;
        in->priv.row_created = row->time;
        if (in->priv.spilled && in->priv.rows > 1u) {
            in->priv.missed = true;
        }
    } else {
        rc = avitoi_inbox_scan_chat(in, row);
    }
    if (!in->priv.full) {
        in->priv.page_anchor = key;
        in->priv.scan_rows = in->priv.rows;
    }
    return rc;
}

/* Chats may have moved up past the page in work while others were read. An extra pass from the first page
 * on finds them, until such a pass finds none. */
static void avitoi_inbox_pass_more(avito_inbox *in)
{
    if (!in->priv.looked || in->priv.offset == 0) {
        return;
    }
    if (in->priv.extra == AVITOI_INBOX_EXTRA) {
        avitoi_inbox_round_lacks(in, AVITO_ERR_MODEL); /* more moves than can be read */
        return;
    }
    in->priv.extra++;
    in->priv.looked = false;
    in->priv.more = true;
    in->priv.scan_offset = 0;
}

/* The page of chats is at its end. The round goes on below it if there is more, and if more is wanted;
 * before that the chats that it has queued are read. */
static avitoi_call_result avitoi_inbox_scan_over(avito_inbox *in)
{
    const bool rest = avitoi_inbox_more_rows(in);
    if (!in->priv.anchored && !in->priv.full) { /* rows have moved up */
        in->priv.whole = true; /* what was read in this round does not vouch for what is below it */
        return avitoi_inbox_again(in);
    }
    in->priv.more =
        in->priv.full || (rest && (in->priv.turn || (in->priv.whole && in->priv.extra == 0)));
    if (!in->priv.full && !rest) {
        in->priv.at_end = true;
    }
    if (in->priv.queue_end != 0) {
        in->priv.looked = true;
    }
    if (!in->priv.more) {
        avitoi_inbox_pass_more(in);
    } else {
        in->priv.scan_offset = (uint16_t)(in->priv.offset + in->priv.scan_rows);
        in->priv.scan_anchor = in->priv.page_anchor;
    }
    avitoi_inbox_arena_hold(in, in->priv.queue_end);
    return avitoi_inbox_move(in, AVITOI_INBOX_EV_OVER);
}

/* ---- NEXT: the next chat of the queue, the next page, or the end of the round ---- */

static avitoi_call_result avitoi_inbox_queue_take(avito_inbox *in)
{
    const struct avitoi_inbox_queued *q =
        (const struct avitoi_inbox_queued *)(void *)(in->o.arena->base + in->priv.queue_end) - 1;
    in->priv.queue_end = (uint16_t)(in->priv.queue_end - sizeof *q - q->id_size);
    memcpy(in->priv.chat_id, in->o.arena->base + in->priv.queue_end,
           q->id_size < sizeof in->priv.chat_id ? q->id_size : sizeof in->priv.chat_id);
    avitoi_inbox_arena_hold(in, in->priv.queue_end);
    in->priv.chat = q->chat;
    in->priv.chat_row = q->row;
    in->priv.chat_updated = q->updated;
    in->priv.failed = false;
    in->priv.mark = AVITOI_INBOX_MARK_NONE;
    in->priv.fit = 0;
    in->priv.anchor = 0;
    return avitoi_inbox_read_top(in);
}

static avitoi_call_result avitoi_inbox_round_over(avito_inbox *in);

static avitoi_call_result avitoi_inbox_on_next(avito_inbox *in)
{
    if (in->priv.queue_end != 0) {
        return avitoi_inbox_arena_ours(in, in->priv.queue_end) ? avitoi_inbox_queue_take(in)
                                                               : avitoi_inbox_again(in);
    }
    return in->priv.more ? avitoi_inbox_scan(in) : avitoi_inbox_round_over(in);
}

/* ---- READ: the messages of a chat ---- */

/* The first round of START_UNREAD skips what this account wrote and what was read. From overlap_s below a
 * message that was read, nothing unread is expected. */
static bool avitoi_inbox_skips(avito_inbox *in, uint32_t created, const avito_message *m)
{
    if (created >= avitoi_inbox_horizon(in)) {
        return false;
    }
    if (created < in->priv.floor) {
        in->priv.then = AVITOI_INBOX_THEN_OVER;
        return true;
    }
    if (m == NULL || m->is_own) {
        return m != NULL;
    }
    if (m->is_read && in->priv.floor == 0) {
        in->priv.floor = avitoi_inbox_minus_overlap(in, created) | 1u;
    }
    return m->is_read;
}

/* The newest of what is kept is where the next window ends, unless all above it is kept too. */
static void avitoi_inbox_first_kept(avito_inbox *in, uint64_t key)
{
    in->priv.kept_count = 0;
    if (in->priv.dropped) {
        in->priv.first = avitoi_inbox_short_hash(key);
        in->priv.above = (uint16_t)(in->priv.offset + in->priv.rows - 1u);
    }
}

/* Keeps the message in the arena; the next row is decoded after it. False: there is no room. */
static bool avitoi_inbox_keep_message(avito_inbox *in, const struct avitoi_inbox_row *row)
{
    struct avitoi_json *j = &in->client->priv.json;
    const size_t at = avitoi_arena_align(j->mem.low), end = at + sizeof(struct avitoi_inbox_kept);
    const size_t spare = in->priv.limit == 1u ? 0u : AVITOI_INBOX_RESERVE;
    struct avitoi_inbox_kept *k;
    if (end + j->mem.high + spare > j->mem.low_cap) {
        return false;
    }
    if (in->priv.kept == 0) {
        avitoi_inbox_first_kept(in, row->key);
    }
    k = (struct avitoi_inbox_kept *)(void *)(j->mem.low_base + at);
    k->message = *row->message;
    k->hash = row->key;
    k->created = in->priv.created;
    k->newer = in->priv.kept;
    in->priv.kept = (uint32_t)((size_t)(j->mem.low_base - in->o.arena->base) + at);
    in->priv.kept_count = (uint8_t)(in->priv.kept_count + (in->priv.kept_count < 99u ? 1u : 0u));
    j->mem.low = end;
    j->element_low = end;
    return true;
}

/* Drops what is kept, because something older than it could not be kept. */
static void avitoi_inbox_drop(avito_inbox *in, int rc)
{
    if (rc == AVITO_ERR_ARENA) {
        in->priv.fit = in->priv.kept != 0 ? in->priv.kept_count : 1u;
    }
    in->priv.kept = 0;
    in->priv.dropped = true;
    in->priv.found = true;
}

/* A row is new. If it does not fit, or its time is not believed, it is read once more, alone: a digit that
 * changed on the way would make an old message new. */
static void avitoi_inbox_read_new(avito_inbox *in, const struct avitoi_inbox_row *row, bool odd)
{
    struct avitoi_json *j = &in->client->priv.json;
    int rc = row->rc < 0                          ? row->rc
             : row->id.len == 0 || row->time == 0 ? AVITO_ERR_MODEL
                                                  : AVITO_OK;
    in->priv.flaws |= AVITOI_INBOX_FRESH;
    avitoi_inbox_key_put(in, row->key);
    in->priv.key_row = (uint16_t)(in->priv.offset + in->priv.rows - 1u);
    if (rc == AVITO_OK && ((odd && in->priv.limit != 1u) || !avitoi_inbox_keep_message(in, row))) {
        rc = AVITO_ERR_ARENA;
    }
    in->priv.row_error = (int16_t)rc;
    if (rc == AVITO_OK) {
        in->priv.found = false;
        return;
    }
    avitoi_inbox_drop(in, rc);
    j->element_low = (size_t)in->priv.low_begin * AVITOI_ARENA_ALIGN;
    if (in->priv.limit == 1u) { /* its id is there until the error was given */
        memmove(j->mem.low_base + j->element_low, row->id.len > 0 ? row->id.ptr : "",
                row->id.len + 1u);
    }
}

/* A row is known: it was given before, or was there when the inbox began. A notification may have had another
 * time than the list. */
AVITOI_APART static void avitoi_inbox_read_known(avito_inbox *in, const struct avitoi_inbox_row *row, bool odd)
{
    const avito_message *m = row->message;
    struct avitoi_inbox_entry *p = avitoi_inbox_ring_find(in, row->key);
    const bool hidden = row->rc < 0 && in->priv.kept == 0; /* too large even alone: its time is not known */
    if ((odd || hidden) && !avitoi_inbox_is_odd(in, avitoi_inbox_get(p->created))) {
        avitoi_inbox_put(p->created, hidden ? UINT32_MAX : avitoi_inbox_dated(row->time));
        in->priv.unsaved = true;
    }
    if (!odd && in->priv.owes_marks != 0 && row->time > avitoi_inbox_horizon(in) && m != NULL &&
               !m->is_own && m->has_is_read && !m->is_read && in->o.mark_as_read &&
               in->priv.mark == AVITOI_INBOX_MARK_NONE) {
        /* Its chat was not marked: perhaps the power went then. AVITO_START_NOW knows those of the
         * horizon's second without giving them. */
        in->priv.mark = AVITOI_INBOX_MARK_OWED;
    }
}

/* The first row is its chat's newest message. The earlier of its time and its chat's time moves the
 * newest time seen. */
static void avitoi_inbox_read_first(avito_inbox *in, const struct avitoi_inbox_row *row)
{
    const uint32_t moved = row->time < in->priv.chat_updated ? row->time : in->priv.chat_updated;
    if (!avitoi_inbox_is_odd(in, moved) && moved > in->priv.newest) {
        in->priv.newest = moved;
    }
}

/* AVITO_START_NOW: the time up to which all is known. A chat without a time may be the newest one. */
static uint32_t avitoi_inbox_learnt_until(const avito_inbox *in)
{
    const uint32_t horizon = avitoi_inbox_horizon(in), start = in->priv.former;
    return avitoi_inbox_is_odd(in, in->priv.chat_updated) && start > horizon ? start - 1u : horizon;
}

/* A row that is not old: is it known? */
static void avitoi_inbox_read_recent(avito_inbox *in, const struct avitoi_inbox_row *row, bool odd)
{
    const uint32_t created = avitoi_inbox_dated(row->time);
    if (avitoi_inbox_ring_has(in, row->key)) {
        avitoi_inbox_read_known(in, row, odd);
    } else if (in->priv.stage != AVITOI_INBOX_LEARNS || (odd && in->priv.limit != 1u)) {
        if (odd && row->time != 0 && in->priv.limit == 1u &&
            (in->priv.flaws & AVITOI_INBOX_SAID) == 0) {
            in->priv.flaws |= AVITOI_INBOX_SAID;
            avitoi_inbox_raise(in, AVITO_INBOX_TIME);
        }
        in->priv.created = created;
        avitoi_inbox_read_new(in, row, odd);
    } else if (odd || created <= avitoi_inbox_learnt_until(in)) { /* newer ones: the next round */
        avitoi_inbox_ring_add(in, row->key, created);
    }
}

/* Is it old? A message without a time that is believed is not. */
static bool avitoi_inbox_read_old(avito_inbox *in, const struct avitoi_inbox_row *row)
{
    const bool first = in->priv.stage == AVITOI_INBOX_UNREAD;
    const bool old = !first && row->time < avitoi_inbox_horizon(in);
    if (avitoi_inbox_out_of_order(in, row->time)) {
        in->priv.flaws |= AVITOI_INBOX_SCATTERED;
    }
    in->priv.row_created = row->time;
    in->priv.turn = !old || (in->priv.flaws & AVITOI_INBOX_SCATTERED) != 0;
    return old || (first && avitoi_inbox_skips(in, row->time, row->message));
}

static avitoi_call_result avitoi_inbox_read_by_time(avito_inbox *in, const struct avitoi_inbox_row *row)
{
    const bool odd = avitoi_inbox_is_odd(in, row->time);
    if (odd) {
        in->priv.flaws |= AVITOI_INBOX_ODD;
        in->priv.turn = true;
    }
    if (odd || !avitoi_inbox_read_old(in, row)) {
        avitoi_inbox_read_recent(in, row, odd);
    }
    return AVITOI_CALL_MOVED;
}

/* The first row of a list of messages. True: it ended the page before, and was looked at. */
static bool avitoi_inbox_read_shared(avito_inbox *in, const struct avitoi_inbox_row *row)
{
    const uint32_t key = avitoi_inbox_short_hash(row->key);
    in->priv.low_begin =
        (uint16_t)(avitoi_arena_align(in->client->priv.json.element_low) / AVITOI_ARENA_ALIGN);
    if (in->priv.window_last == 0 && in->priv.offset > 0) {
        if (key != in->priv.page_anchor) {
            in->priv.then = AVITOI_INBOX_THEN_AGAIN;
        }
        return true;
    }
    in->priv.first = key;
    in->priv.above = in->priv.offset;
    if (in->priv.window_last == 0 && row->rc == AVITO_OK) {
        avitoi_inbox_read_first(in, row);
    }
    return false;
}

/* A message's row: the one at which the reading may stop, or one to look at. */
AVITOI_APART static avitoi_call_result avitoi_inbox_read_row(avito_inbox *in,
                                                             const struct avitoi_inbox_row *row)
{
    const uint32_t key = avitoi_inbox_short_hash(row->key);
    const bool shared = in->priv.rows == 1u && avitoi_inbox_read_shared(in, row);
    in->priv.page_anchor = key;
    if (shared) {
        return AVITOI_CALL_MOVED;
    }
    if (in->priv.window_last != 0 && key == in->priv.window_last) {
        in->priv.anchored = true;
        if (in->priv.limit > 1u) { /* what is older was given */
            in->priv.then = AVITOI_INBOX_THEN_OVER;
            return AVITOI_CALL_MOVED;
        }
    } else if (key == in->priv.anchor) {
        in->priv.flaws |= AVITOI_INBOX_CUT;
        in->priv.then = AVITOI_INBOX_THEN_OVER;
        return AVITOI_CALL_MOVED;
    }
    return avitoi_inbox_read_by_time(in, row);
}

static avitoi_call_result avitoi_inbox_read_over(avito_inbox *in)
{
    const bool stopped = in->priv.then == AVITOI_INBOX_THEN_OVER;
    if (!in->priv.anchored) {
        return avitoi_inbox_again(in);
    }
    if (!stopped && in->priv.window_last == 0 && in->priv.turn && avitoi_inbox_more_rows(in)) {
        if (in->priv.kept != 0) { /* what is older comes first */
            avitoi_inbox_drop(in, AVITO_OK);
        }
        return avitoi_inbox_turn_page(in);
    }
    avitoi_inbox_arena_hold(in, avitoi_inbox_held(in));
    return avitoi_inbox_move(in, AVITOI_INBOX_EV_KEPT);
}

/* ---- GIVE: what is kept, the oldest first ---- */

static struct avitoi_inbox_kept *avitoi_inbox_kept_oldest(const avito_inbox *in)
{
    return (struct avitoi_inbox_kept *)(void *)(in->o.arena->base + in->priv.kept);
}

/* Takes the oldest kept message off: it is done. */
static void avitoi_inbox_kept_take(avito_inbox *in)
{
    in->priv.kept = avitoi_inbox_kept_oldest(in)->newer;
    avitoi_inbox_arena_hold(in, avitoi_inbox_held(in));
}

static int avitoi_inbox_hand(avito_inbox *in, avito_message *out)
{
    const struct avitoi_inbox_kept *k = avitoi_inbox_kept_oldest(in);
    *out = k->message;
    in->priv.row_error = AVITO_OK;
    avitoi_inbox_key_put(in, k->hash);
    in->priv.created = k->created;
    (void)avitoi_inbox_move(in, AVITOI_INBOX_EV_HAND);
    return AVITO_OK;
}

/* The oldest new message could not be kept. It is read alone; if that fails, too, the caller gets the
 * error. */
static avitoi_call_result avitoi_inbox_give_alone(avito_inbox *in)
{
    const char *id = in->o.arena->base + avitoi_inbox_queue_room(in) +
                     (size_t)in->priv.low_begin * AVITOI_ARENA_ALIGN;
    const bool alone = in->priv.limit == 1u;
    const int rc = in->priv.row_error;
    if (alone) {
        (void)avitoi_inbox_move(in, AVITOI_INBOX_EV_HAND);
        return avitoi_inbox_set_row_error(
            in, rc, avitoi_text_of(id),
            in->client->priv.json.culprit != NULL ? in->client->priv.json.culprit : "created");
    }
    return avitoi_inbox_read_window(in, in->priv.key_row, 1,
                                    avitoi_inbox_short_hash(avitoi_inbox_key(in)));
}

/* Nothing of the chat is left. It is marked when a look from its newest message down to the horizon has
 * found nothing new: what shows up late is below what was accepted last. */
static avitoi_call_result avitoi_inbox_chat_over(avito_inbox *in)
{
    const bool owed =
        in->priv.mark == AVITOI_INBOX_MARK_OWED || in->priv.mark == AVITOI_INBOX_MARK_RETRY;
    if (owed && !avitoi_inbox_overflows(in)) {
        in->priv.anchor = 0;
        return (in->priv.flaws & (AVITOI_INBOX_CUT | AVITOI_INBOX_FRESH)) != 0
                   ? avitoi_inbox_read_top(in)
                   : avitoi_inbox_move(in, AVITOI_INBOX_EV_MARK);
    }
    if (in->o.records != NULL) {
        in->o.records->looked(in, false);
    }
    return avitoi_inbox_move(in, AVITOI_INBOX_EV_OVER);
}

/* GIVE: the oldest message that is kept; without one, the next window of the chat upwards; without that,
 * the chat is done. */
static avitoi_call_result avitoi_inbox_on_give(avito_inbox *in, avito_message *out)
{
    unsigned rows = in->priv.fit != 0 ? in->priv.fit + 1u : 100u;
    if ((in->priv.kept != 0 || in->priv.found) &&
        !avitoi_inbox_arena_ours(in, avitoi_inbox_held(in))) { /* the program has used it */
        return avitoi_inbox_again(in);
    }
    while (in->priv.kept != 0) {
        if (!avitoi_inbox_ring_has(in, avitoi_inbox_kept_oldest(in)->hash)) {
            return avitoi_inbox_hand(in, out);
        }
        avitoi_inbox_kept_take(in); /* it was listed twice */
    }
    if (in->priv.found) {
        return avitoi_inbox_give_alone(in);
    }
    avitoi_inbox_arena_to_queue(in);
    if (in->priv.above > 0) { /* newer ones */
        rows = rows < 100u ? rows : 100u;
        rows = rows < in->priv.above + 1u ? rows : in->priv.above + 1u;
        return avitoi_inbox_read_window(in, in->priv.above, rows, in->priv.first);
    }
    return avitoi_inbox_chat_over(in);
}

/* ---- MARK ---- */

/* After marking, the chat is looked at once more: what came in between is no longer unread. A mark
 * that fails, but not for good, is retried once after that. It is no reason to leave the chat out, or to
 * pause a second time: even if marks always fail, the messages of other chats come. */
AVITOI_APART static avitoi_call_result avitoi_inbox_on_mark(avito_inbox *in)
{
    const bool second = in->priv.mark == AVITOI_INBOX_MARK_RETRY;
    const int rc = in->priv.open
                       ? avito_step(in->client)
                       : avito_mark_chat_as_read(in->client, in->o.user_id, in->priv.chat_id);
    in->priv.open = rc == AVITO_AGAIN;
    if (rc == AVITO_AGAIN) {
        return rc;
    }
    in->priv.mark =
        second || !avitoi_retries_is_passing(rc) ? AVITOI_INBOX_MARK_DONE : AVITOI_INBOX_MARK_RETRY;
    if (rc < 0 && !avitoi_retries_is_passing(rc) && !avitoi_inbox_chat_refused(rc)) {
        in->priv.owes_marks = 0; /* the marks of other chats would be refused, too */
    }
    in->priv.failed = false;
    (void)avitoi_inbox_read_top(in);
    return rc == AVITO_OK || second ? (int)AVITOI_CALL_MOVED : rc;
}

/* ---- one step of reading a list ---- */

static avitoi_call_result avitoi_inbox_list_over(avito_inbox *in)
{
    in->priv.open = false;
    return in->priv.phase == AVITOI_INBOX_SCAN ? avitoi_inbox_scan_over(in)
                                               : avitoi_inbox_read_over(in);
}

/* Leaves a list when enough of it was seen, or when it has to be read again. */
static avitoi_call_result avitoi_inbox_leave(avito_inbox *in)
{
    const int rc = avito_list_end(in->client, AVITOI_INBOX_DRAIN);
    if (rc == AVITO_AGAIN) {
        return rc;
    }
    return in->priv.then == AVITOI_INBOX_THEN_OVER ? avitoi_inbox_list_over(in)
                                                   : avitoi_inbox_again(in);
}

/* The page is empty: not even the row that ended the page before came, or the last one of the window.
 * Rows may have slid, so the list is read again, but not for ever: a service may never answer otherwise. Then
 * the list ends here for this round. */
static avitoi_call_result avitoi_inbox_page_empty(avito_inbox *in)
{
    if (in->priv.empty_pages < AVITOI_INBOX_EMPTY_PAGES) {
        in->priv.empty_pages++;
        return avitoi_inbox_again(in);
    }
    if (avitoi_inbox_in_window(in)) {
        return AVITO_ERR_MODEL;
    }
    in->priv.anchored = true;
    avitoi_inbox_round_lacks(in, AVITO_ERR_MODEL);
    return avitoi_inbox_list_over(in);
}

/* The last row was read, or there was none. */
static avitoi_call_result avitoi_inbox_page_over(avito_inbox *in)
{
    if (in->priv.rows == 0) {
        avitoi_inbox_answered(in);
        if (in->priv.offset > 0 || avitoi_inbox_in_window(in)) {
            return avitoi_inbox_page_empty(in);
        }
    }
    return avitoi_inbox_list_over(in);
}

/* Hands a row to the phase that reads it. */
static avitoi_call_result avitoi_inbox_take(avito_inbox *in, struct avitoi_inbox_row *row)
{
    if (in->priv.rows == 0) {
        avitoi_inbox_answered(in);
    }
    in->priv.rows++;
    if (in->priv.rows > 1000u) { /* far more than were asked for: the service wants to keep us busy */
        return AVITO_ERR_MODEL;
    }
    row->key = row->id.len > 0 ? avitoi_text_hash(row->id.ptr, row->id.len)
                               : (((uint64_t)in->priv.chat << 32) | row->time) + 1u;
    return in->priv.phase == AVITOI_INBOX_SCAN ? avitoi_inbox_scan_row(in, row)
                                               : avitoi_inbox_read_row(in, row);
}

/* A row was read, or as much of it as there is. This is a function of its own, so its locals are not on the
 * stack while a row is read. */
AVITOI_APART static avitoi_call_result avitoi_inbox_row_came(avito_inbox *in, const avito_message *out,
                                                             int rc)
{
    const bool reads = in->priv.phase == AVITOI_INBOX_READ;
    const char *const chat = (const char *)out; /* it came in memory for a message */
    struct avitoi_inbox_row row;
    const void *last;
    int64_t time;
    row.rc = rc;
    row.message = NULL;
    if (rc < 0) {
        row.id = in->client->priv.json.id;
        row.time = reads ? in->priv.row_created : 0u;
        return avitoi_inbox_take(in, &row);
    }
    if (reads) {
        row.id = out->id;
        row.message = out;
        time = out->created;
    } else {
        memcpy(&row.id, chat + offsetof(avito_chat, id), sizeof row.id);
        memcpy(&last, chat + offsetof(avito_chat, last_message), sizeof last);
        memcpy(&time, chat + offsetof(avito_chat, updated), sizeof time);
        row.message = (const avito_message *)last;
    }
    row.time = avitoi_inbox_seconds(time);
    return avitoi_inbox_take(in, &row);
}

AVITOI_ASSERT(inbox_out_holds_a_chat, sizeof(avito_chat) <= sizeof(avito_message));

/* The next row of the open list. */
static avitoi_call_result avitoi_inbox_next_row(avito_inbox *in, avito_message *out)
{
    const int rc = avitoi_list_next(in->client, in->client->priv.call, out);
    if (rc == AVITO_END) {
        return avitoi_inbox_page_over(in);
    }
    return rc == AVITO_OK || (rc < 0 && avito_list_open(in->client)) ? avitoi_inbox_row_came(in, out, rc)
                                                                     : rc;
}

static avitoi_call_result avitoi_inbox_on_list(avito_inbox *in, avito_message *out)
{
    if (in->priv.then != AVITOI_INBOX_THEN_ON) {
        return avitoi_inbox_leave(in);
    }
    if (!in->priv.open) {
        const int rc = avitoi_inbox_open(in);
        if (rc != AVITO_OK && rc != AVITO_AGAIN) {
            return rc;
        }
        in->priv.open = true;
    }
    return avitoi_inbox_next_row(in, out);
}

/* ======================================================================= *
 * >>79 INBOX: ROUNDS
 * ======================================================================= *
 *
 * Where a round begins and ends, what its end allows to forget, and the inbox's public functions. Comes
 * in: the application's calls; a round that is over. Goes out: messages, and saved states. May not begin
 * a list.
 */

/* ---- rounds ---- */

/* A round begins: is it a whole one, and what is not known yet? */
static avitoi_call_result avitoi_inbox_round(avito_inbox *in)
{
    const struct avitoi_inbox_records *records = in->o.records;
    const bool pressed = in->priv.overrun || avitoi_inbox_ring_pressed(in);
    if (avitoi_number_elapsed(avitoi_inbox_clock(in), in->priv.whole_ms) >= in->o.sweep_ms) {
        in->priv.wholes = 2;
    }
    in->priv.whole =
        pressed || in->priv.all_chats || in->priv.wholes > 0 || in->priv.stage != AVITOI_INBOX_RUNS;
    if (records != NULL && (pressed || in->priv.stage == AVITOI_INBOX_UNREAD)) {
        records->doubt(in); /* two rounds look for what was there */
    }
    in->priv.spilled =
        records == NULL || in->o.chats_cap == 0 || in->priv.stage == AVITOI_INBOX_LEARNS ||
        (in->priv.spilled && records->count(in) >= in->o.chats_cap);
    in->priv.at_end = false;
    in->priv.looked = false;
    in->priv.missed = false;
    in->priv.empty_pages = 0;
    in->priv.extra = 0;
    in->priv.late_left = AVITOI_INBOX_LATE;
    in->priv.sure = 0;
    in->priv.updated = 0;
    in->priv.scan_offset = 0;
    return avitoi_inbox_scan(in);
}

/* Messages come again: the next round waits longer, unless the bell rang during this one. */
static void avitoi_inbox_slow_down(avito_inbox *in)
{
    if (in->priv.wait_ms != 0) {
        in->priv.wait_ms = in->o.slow_poll_ms;
    }
}

/* Does an error of this round keep the horizon where it is? As long as the ring knows what was given, it may
 * stay for ever. Otherwise messages come again, though not at every poll, and in the end it moves on. */
static bool avitoi_inbox_holds_horizon(avito_inbox *in, int error)
{
    const uint32_t now = avitoi_inbox_clock(in);
    if (error >= 0) {
        in->priv.failures = 0;
        return false;
    }
    if (in->priv.failures < AVITOI_INBOX_PATIENCE &&
        (in->priv.failures == 0 ||
         avitoi_number_elapsed(now, in->priv.failures_ms) >= AVITOI_INBOX_PATIENCE_MS)) {
        in->priv.failures++;
        in->priv.failures_ms = now;
    }
    if (in->priv.failures == AVITOI_INBOX_PATIENCE &&
        (in->priv.overrun || in->priv.stage == AVITOI_INBOX_UNREAD)) {
        avitoi_inbox_raise(in, AVITO_INBOX_UNREACHABLE);
        return false;
    }
    if (in->priv.overrun) {
        avitoi_inbox_slow_down(in);
    }
    return true;
}

static int avitoi_inbox_start_save(avito_inbox *in, unsigned stage)
{
    const uint8_t before = in->priv.stage;
    in->priv.stage = (uint8_t)stage;
    avitoi_inbox_state_of(in)->first_round = stage == AVITOI_INBOX_UNREAD;
    if (stage == AVITOI_INBOX_LEARNS || avitoi_inbox_save(in) == AVITO_OK) {
        return AVITO_OK;
    }
    in->priv.stage = before; /* what was found stays the start */
    return AVITO_ERR_HOOK;
}

/* The start: the whole list was read, since no order of its rows is believed. Two passes have to say the
 * same. If rows move all the time the later time is right, by the service's clock. */
static avitoi_call_result avitoi_inbox_start_over(avito_inbox *in)
{
    const uint32_t before = in->priv.newest, found = in->priv.updated;
    int rc = in->priv.round_error;
    in->priv.newest = found;
    if (rc >= 0 && (in->priv.former == 0 || before > avitoi_inbox_ceiling(in) ||
                    (before != found &&
                     (avitoi_inbox_now(in) == 0 || in->priv.restarts < AVITOI_INBOX_STARTS)))) {
        in->priv.former = 1;
        in->priv.updated = 0;
        return avitoi_inbox_again(in);
    }
    in->priv.former = in->o.start == AVITO_START_NOW ? avitoi_inbox_now(in) : 0u; /* the start */
    in->priv.newest = found > before ? found : before;
    in->priv.newest += in->priv.newest == 0 ? 1u : 0u; /* no chat yet: a start all the same */
    avitoi_inbox_put(avitoi_inbox_state_of(in)->horizon, in->priv.newest);
    if (rc >= 0) {
        rc = avitoi_inbox_start_save(in, in->o.start == AVITO_START_NOW ? AVITOI_INBOX_LEARNS
                                                                        : AVITOI_INBOX_UNREAD);
    }
    if (rc >= 0) {
        return avitoi_inbox_round(in);
    }
    if (in->priv.round_error < 0) {
        in->priv.round_error = AVITO_OK;
        (void)avitoi_inbox_set_error(in, rc, 0);
    }
    avitoi_inbox_rest(in, in->o.poll_ms, AVITOI_INBOX_WAIT);
    return rc;
}

/* What AVITO_START_NOW found is known now: the inbox has started. */
static int avitoi_inbox_round_learnt(avito_inbox *in)
{
    const int rc = avitoi_inbox_start_save(in, AVITOI_INBOX_RUNS);
    if (rc == AVITO_OK) {
        in->priv.former = 0;
        in->priv.wait_ms = 0;
    }
    return rc == AVITO_OK ? (int)AVITO_AGAIN : rc;
}

/* Chats may have slipped by while the list was read in several pieces, and there is no record of which
 * were read: what shows up late moves a chat up under an old time, and rows out of order may move at any
 * time. */
static bool avitoi_inbox_slips(const avito_inbox *in)
{
    return in->priv.spilled && in->priv.extra > 0;
}

/* From now on only what is newer than the start is given, once two rounds have looked. */
static int avitoi_inbox_round_first(avito_inbox *in, uint32_t former)
{
    in->priv.wait_ms = 0;
    if (former == 0 && (!in->priv.overrun || avitoi_inbox_slips(in))) {
        return AVITO_AGAIN;
    }
    in->priv.stage = AVITOI_INBOX_RUNS;
    avitoi_inbox_state_of(in)->first_round = 0;
    return avitoi_inbox_save(in) == AVITO_OK ? AVITO_AGAIN : AVITO_ERR_HOOK;
}

/* After an overrun the overlap is only as long as the ring remembers. In the newest second more may come
 * for as long as messages may be late. And nothing is known of a chat that was refused or may have
 * slipped by. */
static uint32_t avitoi_inbox_overran(avito_inbox *in, uint32_t horizon)
{
    const uint32_t newest =
        in->priv.newest > in->priv.updated ? in->priv.newest : in->priv.updated;
    const bool settled = in->priv.sure > newest + in->o.overlap_s;
    const uint32_t most = in->priv.updated + (settled ? 1u : 0u);
    uint32_t known = avitoi_inbox_ring_age(in, avitoi_inbox_ring_oldest(in)) + 1u;
    known = known > most ? most : known;
    if (in->priv.missed || (avitoi_inbox_slips(in) && !settled) ||
        avitoi_inbox_is_odd(in, in->priv.updated)) {
        known = 0;
    }
    horizon = known > horizon ? known : horizon;
    if (horizon <= avitoi_inbox_horizon(in)) { /* all of it comes again */
        avitoi_inbox_slow_down(in);
    }
    in->priv.overrun = false;
    return horizon;
}

/* Nothing was left out. What is older than the overlap need not be known any longer when two whole rounds
 * have looked for it: one could miss a message through a digit that changed on the way. */
AVITOI_APART static int avitoi_inbox_round_counts(avito_inbox *in)
{
    const uint32_t former = in->priv.former;
    const bool dated = avitoi_inbox_now(in) != 0;
    uint32_t horizon =
        avitoi_inbox_minus_overlap(in, dated && in->priv.sure < former ? in->priv.sure : former);
    in->priv.former = dated ? in->priv.sure : in->priv.newest;
    if (in->priv.stage == AVITOI_INBOX_UNREAD) {
        return avitoi_inbox_round_first(in, former);
    }
    if (in->priv.overrun) {
        horizon = avitoi_inbox_overran(in, horizon);
    }
    in->priv.all_chats = false;
    in->priv.owes_marks >>= 1;
    if (horizon <= avitoi_inbox_horizon(in)) {
        return AVITO_AGAIN;
    }
    avitoi_inbox_put(avitoi_inbox_state_of(in)->horizon, horizon);
    if (!in->priv.unsaved) { /* with the next message */
        return AVITO_AGAIN;
    }
    in->priv.unsaved = false;
    return avitoi_inbox_save(in) == AVITO_OK ? AVITO_AGAIN : AVITO_ERR_HOOK;
}

/* Only a round that reached the end of the list, and lacks nothing, counts. */
static avitoi_call_result avitoi_inbox_round_over(avito_inbox *in)
{
    const int error = in->priv.round_error;
    if (in->priv.stage == AVITOI_INBOX_NEW) {
        return avitoi_inbox_start_over(in);
    }
    avitoi_inbox_rest(in, in->priv.rung ? 0u : avitoi_inbox_round_pause(in), AVITOI_INBOX_WAIT);
    in->priv.rung = false;
    in->priv.odd_lost = false;
    in->priv.round_error = AVITO_OK;
    in->priv.chat_id[0] = '\0';
    if (in->priv.whole) {
        in->priv.whole_ms = avitoi_inbox_clock(in);
        in->priv.wholes = (uint8_t)(in->priv.wholes - (in->priv.wholes > 0 ? 1u : 0u));
    }
    if (in->priv.late_left == 0 && in->priv.wholes == 0) { /* some wait for the next one */
        in->priv.wholes = 1;
    }
    if (in->priv.stage == AVITOI_INBOX_LEARNS) {
        return avitoi_inbox_round_learnt(in);
    }
    if (avitoi_inbox_holds_horizon(in, error)) {
        in->priv.former = 0;
        return avitoi_inbox_set_error(in, error, 0); /* the calls since then were good */
    }
    return in->priv.at_end ? avitoi_inbox_round_counts(in) : (int)AVITO_AGAIN;
}

/* ---- the inbox as a whole ---- */

static uint32_t avitoi_inbox_wait_left(const avito_inbox *in)
{
    const uint32_t passed = avitoi_inbox_clock(in) - in->priv.wait_from_ms;
    return avitoi_number_minus(in->priv.wait_ms, passed);
}

/* WAIT: when the time has come, the round goes on where it was, or a new one begins. */
static avitoi_call_result avitoi_inbox_on_wait(avito_inbox *in)
{
    if (avitoi_inbox_wait_left(in) > 0) {
        return AVITO_AGAIN;
    }
    in->priv.restarts = 0;
    if (in->priv.resume == AVITOI_INBOX_READ) {
        return avitoi_inbox_read_top(in);
    }
    if (in->priv.resume == AVITOI_INBOX_NEXT) {
        return avitoi_inbox_move(in, AVITOI_INBOX_EV_OVER);
    }
    if (in->priv.stage == AVITOI_INBOX_NEW && in->o.start == AVITO_START_SINCE) {
        avitoi_inbox_put(avitoi_inbox_state_of(in)->horizon, avitoi_inbox_seconds(in->o.since));
        if (avitoi_inbox_start_save(in, AVITOI_INBOX_RUNS) < 0) {
            avitoi_inbox_rest(in, in->o.poll_ms, AVITOI_INBOX_WAIT);
            return AVITO_ERR_HOOK;
        }
    }
    in->priv.former = in->priv.stage == AVITOI_INBOX_NEW ? 0u : in->priv.former;
    return avitoi_inbox_round(in);
}

/* Polls at once, or as soon as the round that is going on is over, though it may pause after a failure. */
static void avitoi_inbox_ring_bell(avito_inbox *in)
{
    in->priv.wait_ms = 0;
    in->priv.rung = in->priv.phase != AVITOI_INBOX_WAIT || in->priv.resume != AVITOI_INBOX_WAIT;
}

/* HANDED: the message was not accepted, so it comes again. A row with an error is skipped. */
static avitoi_call_result avitoi_inbox_on_handed(avito_inbox *in)
{
    if (in->priv.row_error < 0) {
        const int rc = avito_inbox_accept(in);
        return rc == AVITO_OK ? (int)AVITOI_CALL_MOVED : rc;
    }
    if (in->priv.phase == AVITOI_INBOX_OFFERED) { /* a round will find it */
        (void)avitoi_inbox_move(in, AVITOI_INBOX_EV_REST);
        avitoi_inbox_ring_bell(in);
        return AVITOI_CALL_MOVED;
    }
    return avitoi_inbox_move(in, AVITOI_INBOX_EV_KEPT);
}

/* Runs the handler of the present phase. */
static avitoi_call_result avitoi_inbox_handle(avito_inbox *in, avito_message *out)
{
    switch ((int)in->priv.phase) {
        case AVITOI_INBOX_WAIT:
            return avitoi_inbox_on_wait(in);
        case AVITOI_INBOX_NEXT:
            return avitoi_inbox_on_next(in);
        case AVITOI_INBOX_GIVE:
            return avitoi_inbox_on_give(in, out);
        case AVITOI_INBOX_HANDED:
        case AVITOI_INBOX_OFFERED:
            return avitoi_inbox_on_handed(in);
        case AVITOI_INBOX_MARK:
            return avitoi_inbox_on_mark(in);
        default:
            return avitoi_inbox_on_list(in, out);
    }
}

/* Enters the inbox. What the program has cancelled is begun again. */
static avitoi_call_result avitoi_inbox_enter(avito_inbox *in)
{
    const struct avitoi_call_retries *retries = in->client->o.priv.retries;
    in->client->o.priv.retries = retries != NULL ? retries->dated : &avitoi_retries_rate_part;
    in->client->priv.owner = NULL;
    if (in->client->priv.call != NULL || !in->priv.open) {
        return AVITOI_CALL_MOVED;
    }
    in->priv.open = false;
    return in->priv.phase == AVITOI_INBOX_MARK ? avitoi_inbox_move(in, AVITOI_INBOX_EV_MARK)
                                               : avitoi_inbox_again(in);
}

/* Steps until there is something for the caller, or enough was done for one call. */
static int avitoi_inbox_run(avito_inbox *in, avito_message *out)
{
    const uint32_t began = avitoi_inbox_clock(in);
    unsigned steps = 0;
    int rc = avitoi_inbox_enter(in);
    in->priv.raised = false;
    in->priv.eager = false;
    while (rc == AVITOI_CALL_MOVED && !in->priv.eager) {
        steps += in->priv.open ? 1u : 4u;
        rc = avitoi_inbox_handle(in, out);
        if (rc < 0 && in->priv.phase != AVITOI_INBOX_HANDED &&
            in->priv.phase != AVITOI_INBOX_WAIT) {
            rc = avitoi_inbox_failed(in, rc);
        }
        in->priv.eager = in->priv.raised || steps > AVITOI_INBOX_STEPS ||
                         avitoi_number_elapsed(avitoi_inbox_clock(in), began) >
                             in->client->o.total_timeout_ms;
    }
    in->client->priv.owner = in->client->priv.call != NULL ? in : NULL;
    in->priv.eager = in->priv.raised || rc == AVITOI_CALL_MOVED || rc == AVITOI_INBOX_SAYS;
    return rc == AVITOI_CALL_MOVED   ? (int)AVITO_AGAIN
           : rc == AVITOI_INBOX_SAYS ? in->client->error.code
                                     : rc;
}

/* Sleeps between rounds, on a lane that may wait. */
static void avitoi_inbox_nap(avito_inbox *in)
{
    const avito_transport *t = &in->client->o.transport;
    const uint32_t left = avitoi_inbox_wait_left(in);
    const uint32_t ms = in->o.nap_ms != 0 && in->o.nap_ms < left ? in->o.nap_ms : left;
    if (ms > 0) {
        in->client->priv.inside = true;
        (void)(t->functions->wait)(t->ctx, AVITO_WANT_TIMER, ms);
        (void)avitoi_machine_leave(in->client, AVITO_OK);
    }
}

/* Was it initialised without an error, and is its lane still so? */
static bool avitoi_inbox_is_ready(const avito_inbox *in)
{
    return in != NULL && avitoi_machine_is_ready(in->client);
}

/* A hook of the lane, or of the inbox, must not begin anything on it. */
static int avitoi_inbox_ready(const avito_inbox *in)
{
    return !avitoi_inbox_is_ready(in) ? AVITO_ERR_ARGUMENT
           : in->client->priv.inside  ? AVITO_ERR_BUSY
                                      : AVITO_OK;
}

/* The lane is the inbox's if it is idle, or does what the inbox asked for: every other call zeroes
 * `owner`. */
AVITO_API int avito_inbox_next(avito_inbox *inbox, avito_message *out)
{
    avito_client *c;
    int rc = avitoi_inbox_ready(inbox);
    if (rc < 0 || out == NULL) {
        return rc < 0 ? rc : (int)AVITO_ERR_ARGUMENT;
    }
    c = inbox->client;
    if (c->priv.call != NULL && c->priv.owner != inbox) {
        return AVITO_ERR_BUSY;
    }
    rc = avitoi_inbox_run(inbox, out);
    if (rc == AVITO_AGAIN && inbox->priv.phase == AVITOI_INBOX_WAIT && !inbox->priv.eager &&
        avitoi_call_may_wait(c)) {
        avitoi_inbox_nap(inbox);
    }
    return rc;
}

/* Takes the message in the caller's hands into the ring and saves; if that fails, all is as before. */
static int avitoi_inbox_ring_accept(avito_inbox *in)
{
    struct avitoi_inbox_entry *place = avitoi_inbox_ring_find(in, avitoi_inbox_key(in));
    const struct avitoi_inbox_entry former = *place;
    avitoi_inbox_ring_add(in, avitoi_inbox_key(in), in->priv.created);
    if (avitoi_inbox_save(in) == AVITO_OK) {
        return AVITO_OK;
    }
    *place = former;
    return AVITO_ERR_HOOK;
}

/* A message of the chat in work. It may have come around the mark. */
static void avitoi_inbox_accept_handed(avito_inbox *in)
{
    in->priv.anchor = avitoi_inbox_short_hash(avitoi_inbox_key(in));
    in->priv.failed = false;
    in->priv.found = false;
    in->priv.mark = in->o.mark_as_read ? AVITOI_INBOX_MARK_OWED : AVITOI_INBOX_MARK_NONE;
    if (in->priv.kept != 0 && avitoi_inbox_arena_ours(in, avitoi_inbox_held(in))) {
        avitoi_inbox_kept_take(in);
    }
    (void)avitoi_inbox_move(in, AVITOI_INBOX_EV_KEPT);
}

/* A notification's message. Its chat is due, since its row has changed. But a round that pauses may have
 * passed the chat, and the list may show it late. */
static void avitoi_inbox_accept_offered(avito_inbox *in)
{
    in->priv.owes_marks |= in->o.mark_as_read ? 2u : 0u;
    (void)avitoi_inbox_move(in, AVITOI_INBOX_EV_REST);
}

AVITO_API int avito_inbox_accept(avito_inbox *inbox)
{
    int rc = avitoi_inbox_ready(inbox);
    if (rc < 0) {
        return rc;
    }
    if (inbox->priv.phase != AVITOI_INBOX_HANDED && inbox->priv.phase != AVITOI_INBOX_OFFERED) {
        return AVITO_ERR_IDLE;
    }
    rc = avitoi_inbox_ring_accept(inbox);
    if (rc != AVITO_OK) {
        return rc;
    }
    inbox->priv.unsaved = true;
    inbox->priv.row_error = AVITO_OK;
    if (inbox->priv.phase == AVITOI_INBOX_HANDED) {
        avitoi_inbox_accept_handed(inbox);
    } else {
        avitoi_inbox_accept_offered(inbox);
    }
    return AVITO_OK;
}

/* A notification came: polls may be rare for a while. */
static void avitoi_inbox_note_notification(avito_inbox *in)
{
    in->priv.heard_ms = avitoi_inbox_clock(in) | 1u; /* 0: none yet */
}

AVITO_API int avito_inbox_offer(avito_inbox *inbox, const avito_message *message)
{
    uint64_t hash;
    uint32_t created;
    const int rc = avitoi_inbox_ready(inbox);
    if (rc < 0) {
        return rc;
    }
    if (message == NULL || message->id.ptr == NULL ||
        (message->user_id != 0 && message->user_id != inbox->o.user_id)) {
        return AVITO_ERR_ARGUMENT;
    }
    avitoi_inbox_note_notification(inbox);
    hash = avitoi_text_hash(message->id.ptr, message->id.len);
    created = avitoi_inbox_dated(avitoi_inbox_seconds(message->created));
    if (avitoi_inbox_ring_has(inbox, hash) || created < avitoi_inbox_horizon(inbox)) {
        return AVITO_END;
    }
    /* Between rounds only: then no list is open, and the message in hand is this one alone. */
    if (inbox->priv.phase != AVITOI_INBOX_WAIT || inbox->priv.stage < AVITOI_INBOX_UNREAD) {
        avitoi_inbox_ring_bell(inbox);
        return AVITO_ERR_BUSY;
    }
    (void)avitoi_inbox_move(inbox, AVITOI_INBOX_EV_OFFER);
    avitoi_inbox_key_put(inbox, hash);
    inbox->priv.created = created;
    inbox->priv.row_error = AVITO_OK;
    return AVITO_OK;
}

AVITO_API void avito_inbox_doorbell(avito_inbox *inbox)
{
    if (avitoi_inbox_is_ready(inbox)) {
        avitoi_inbox_note_notification(inbox);
        avitoi_inbox_ring_bell(inbox);
    }
}

AVITO_API int avito_inbox_wants(const avito_inbox *inbox)
{
    bool lane;
    if (!avitoi_inbox_is_ready(inbox)) {
        return 0;
    }
    lane = inbox->client->priv.call != NULL && !inbox->priv.eager;
    return lane ? avito_wants(inbox->client) : AVITO_WANT_TIMER;
}

AVITO_API uint32_t avito_inbox_deadline_ms(const avito_inbox *inbox)
{
    if (!avitoi_inbox_is_ready(inbox)) {
        return UINT32_MAX;
    }
    if (inbox->priv.eager) {
        return 0;
    }
    return inbox->client->priv.call != NULL ? avito_deadline_ms(inbox->client)
                                            : avitoi_inbox_wait_left(inbox);
}

AVITO_API unsigned avito_inbox_events(avito_inbox *inbox)
{
    unsigned events = 0;
    if (avitoi_inbox_is_ready(inbox)) {
        events = inbox->priv.events;
        inbox->priv.events = 0;
    }
    return events;
}

AVITO_API const char *avito_inbox_about(const avito_inbox *inbox)
{
    return inbox != NULL ? inbox->priv.chat_id : "";
}

/* ---- options ---- */

AVITO_API avito_inbox_options avito_inbox_options_default(void)
{
    avito_inbox_options options = AVITOI_ZERO;
    return options;
}

#define AVITOI_INBOX_PERIOD_MAX 0x40000000u

/* An option that is a time. At most so many seconds, which with the time of today fit 32 bits; or
 * milliseconds, a quarter of what the clock counts before it wraps. */
AVITOI_APART_IF_SMALL static uint32_t avitoi_inbox_period(uint32_t given, uint32_t otherwise)
{
    const uint32_t period = avitoi_number_or(given, otherwise);
    return period < AVITOI_INBOX_PERIOD_MAX ? period : AVITOI_INBOX_PERIOD_MAX;
}

/* Is nothing missing or out of range? */
static bool avitoi_inbox_are_legal(const avito_inbox_options *o)
{
    return o->user_id > 0 && o->state != NULL && o->arena != NULL && o->arena->base != NULL &&
           (o->save == NULL) == (o->load == NULL) && (unsigned)o->start <= AVITO_START_SINCE;
}

/* BUSY comes first: the arguments say nothing about an inbox that is at work. */
AVITOI_APART static int avitoi_inbox_options_check(const avito_client *client,
                                                   const avito_inbox_options *options)
{
    if (!avitoi_machine_is_ready(client)) {
        return AVITO_ERR_ARGUMENT;
    }
    if (client->priv.call != NULL || client->priv.inside) {
        return AVITO_ERR_BUSY;
    }
    if (options == NULL || !avitoi_inbox_are_legal(options)) {
        return AVITO_ERR_ARGUMENT;
    }
    if (options->state_cap < AVITO_INBOX_STATE_SIZE(1) ||
        options->arena->cap < AVITOI_INBOX_ARENA_MIN) {
        return AVITO_ERR_ROOM;
    }
    return AVITO_TINY && options->chats != NULL && options->records == NULL ? AVITO_ERR_OPTION_CHATS
                                                                            : AVITO_OK;
}

AVITO_API int avito_inbox_init(avito_inbox *inbox, avito_client *client,
                               const avito_inbox_options *options)
{
    int rc = avitoi_inbox_options_check(client, options);
    if (inbox == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    if (rc != AVITO_ERR_BUSY || inbox->client != client) { /* this may be one of its hooks */
        memset(inbox, 0, sizeof *inbox);
    }
    if (rc < 0) {
        return rc;
    }
    inbox->o = *options;
    inbox->client = client;
    inbox->o.state_cap -= (inbox->o.state_cap - sizeof(struct avitoi_inbox_state)) %
                          sizeof(struct avitoi_inbox_entry);
    inbox->o.poll_ms = avitoi_inbox_period(options->poll_ms, 15000);
    inbox->o.slow_poll_ms = avitoi_inbox_period(options->slow_poll_ms, 300000);
    inbox->o.overlap_s = avitoi_inbox_period(options->overlap_s, 300);
    inbox->o.sweep_ms = avitoi_inbox_period(options->sweep_ms, 900000);
#if !AVITO_TINY
    avito_enable_inbox_records(&inbox->o);
#endif
    if (inbox->o.records != NULL) {
        inbox->o.records->begin(inbox);
    }
    inbox->priv.wholes = 2;
    inbox->priv.wait_from_ms = avitoi_account_now(client->account);
    rc = avitoi_inbox_load(inbox);
    inbox->client = rc < 0 ? NULL : client;
    return rc;
}

/* ======================================================================= *
 * >>80 SENDING AND OTHER CHANGES
 * ======================================================================= *
 *
 * Calls that change something. Each ends in one of three outcomes (>>7); the chapter of errors decides
 * which. Comes in: texts, images, ids, which are checked here. Goes out: a call that has begun. May not
 * decide the outcome.
 */

/* The same calls where the message is wanted as the service stored it. Only avito_enable_sent() links them. */
#define AVITOI_SEND_ENDPOINT(name, body)                                                           \
    {avitoi_endpoint_path_##name, avitoi_endpoint_type_json, body, NULL, &avitoi_schema_sent.schema, \
     avitoi_answer_id, &avitoi_endpoint_one_special,                                               \
     AVITOI_ENDPOINT_POST | AVITOI_ENDPOINT_CHANGES | AVITOI_ENDPOINT_ID, AVITOI_ENDPOINT_NUMBER_##name}
static const struct avitoi_endpoint avitoi_send_endpoints[] = {
    AVITOI_SEND_ENDPOINT(send_message, avitoi_endpoint_body_message),
    AVITOI_SEND_ENDPOINT(send_image_message, avitoi_endpoint_body_image)};

AVITO_API void avito_enable_sent(avito_client_options *options)
{
    if (options != NULL) {
        options->priv.sent = avitoi_send_endpoints;
    }
}

/* Starts the prepared call; `rc` is the result of preparing it. If `out` is wanted, it becomes the call `which`
 * of those above. */
static int avitoi_send_start(avito_client *c, int rc, size_t which, avito_arena *arena, void *out)
{
    if (out == NULL) {
        return avitoi_client_start(c, rc, NULL, NULL);
    }
    if (rc == AVITO_OK && (arena == NULL || c->o.priv.sent == NULL)) {
        rc = arena == NULL ? AVITO_ERR_ARGUMENT : AVITO_ERR_OPTION_SENT;
    }
    if (rc == AVITO_OK) {
        c->priv.request = c->o.priv.sent + which;
    }
    return avitoi_client_start(c, rc, arena, out);
}

static int avitoi_send_check_text(const char *text)
{
    size_t points, visible;
    if (text == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    if (!avitoi_text_utf8_count(text, &points, &visible)) {
        return AVITO_ERR_UTF8;
    }
    return (visible == 0 || points > AVITO_TEXT_MAX) ? AVITO_ERR_TEXT : AVITO_OK;
}

AVITO_API int avito_send_message(avito_client *client, int64_t user_id, const char *chat_id,
                                 const char *text, avito_arena *arena, avito_message *out)
{
    int rc = avitoi_client_prepare(client, &avitoi_endpoint_send_message, user_id, chat_id, text);
    rc = (rc == AVITO_OK) ? avitoi_send_check_text(text) : rc;
    return avitoi_send_start(client, rc, 0, arena, out);
}

AVITO_API int avito_send_image_message(avito_client *client, int64_t user_id, const char *chat_id,
                                       const char *image_id, avito_arena *arena, avito_message *out)
{
    int rc = avitoi_client_prepare(client, &avitoi_endpoint_send_image_message, user_id, chat_id,
                                   image_id);
    rc = (rc == AVITO_OK) ? avitoi_client_check_id(image_id) : rc;
    return avitoi_send_start(client, rc, 1, arena, out);
}

/* ---- long texts ---- */

/* White space of Unicode, and control characters. */
static bool avitoi_send_is_blank(uint32_t point)
{
    return point <= ' ' || point == 0x85u || point == 0xa0u || point == 0x1680u ||
           (point >= 0x2000u && point <= 0x200au) || point == 0x2028u || point == 0x2029u ||
           point == 0x202fu || point == 0x205fu || point == 0x3000u;
}

/* Bytes of the blank character that begins here; 0: it is not blank, or the text ends. An accent on a blank
 * makes it visible. */
static size_t avitoi_send_blank(const char *text)
{
    const unsigned n = avitoi_text_utf8_length(text, 4); /* its NUL would be malformed in a sequence */
    size_t whole;
    if (*text == '\0' || n == 0 || !avitoi_send_is_blank(avitoi_text_point(text, n))) {
        return 0;
    }
    whole = avitoi_text_grapheme(text, SIZE_MAX); /* ends before a NUL */
    return whole == n || *text == '\r' ? whole : 0;
}

/* A run of blanks. */
struct avitoi_send_gap {
    size_t len, units; /* in bytes, and as UTF-16 */
    size_t lines;      /* ends of lines in it */
};

static struct avitoi_send_gap avitoi_send_gap_at(const char *text)
{
    struct avitoi_send_gap gap = AVITOI_ZERO;
    size_t n;
    while ((n = avitoi_send_blank(text + gap.len)) > 0) {
        const bool pair = text[gap.len] == '\r' && n == 2;
        gap.units += pair ? 2u : 1u;
        gap.lines += (pair || text[gap.len] == '\n') ? 1u : 0u;
        gap.len += n;
    }
    return gap;
}

/* How good is the border before this gap? 4 paragraph, 3 line, 2 sentence, 1 word. */
static unsigned avitoi_send_border(char before, const struct avitoi_send_gap *gap)
{
    if (gap->lines > 0) {
        return gap->lines > 1 ? 4u : 3u;
    }
    return strchr(".!?", before) != NULL ? 2u : 1u;
}

/* Counts UTF-16 units. A malformed character counts as one. */
static size_t avitoi_send_units(const char *p, size_t len)
{
    size_t units = 0;
    for (; len > 0; len--, p++) {
        units += (avitoi_text_byte(*p) & 0xc0u) != 0x80u ? 1u : 0u;
        units += (avitoi_text_byte(*p) >= 0xf0u && len > 3u) ? 1u : 0u;
    }
    return units > 0 ? units : 1u;
}

/* Cuts a character that has more accents than a message has room for: as many code points as fit. */
static size_t avitoi_send_cut_character(const char *p)
{
    size_t n = 0, units = 0;
    for (;;) {
        const unsigned more = avitoi_text_utf8_length(p + n, 4);
        units += more > 3u ? 2u : 1u;
        if (units > AVITO_TEXT_MAX) {
            return n;
        }
        n += more;
    }
}

/* A part of a text, as far as it has been walked. */
struct avitoi_send_part {
    size_t walked, units; /* in bytes, and as UTF-16 */
    size_t end;           /* of the last character that is not blank */
    size_t best;          /* the best border so far; 0: none */
    unsigned quality;     /* of it */
};

/* Walks on to the next blank. False: it stopped at a character for which there is no room. */
static bool avitoi_send_word(const char *p, struct avitoi_send_part *part)
{
    while (p[part->walked] != '\0' && avitoi_send_blank(p + part->walked) == 0) {
        const size_t n = avitoi_text_grapheme(p + part->walked, SIZE_MAX); /* ends before a NUL */
        const size_t units = avitoi_send_units(p + part->walked, n);
        if (part->units + units > AVITO_TEXT_MAX) {
            return false;
        }
        part->units += units;
        part->walked += n;
        part->end = part->walked;
    }
    return true;
}

/* Walks over blanks, before which the part may end. False: it must end there or earlier. */
static bool avitoi_send_border_found(const char *p, struct avitoi_send_part *part)
{
    const struct avitoi_send_gap gap = avitoi_send_gap_at(p + part->walked);
    const bool full = part->units + gap.units >= AVITO_TEXT_MAX;
    const unsigned border = avitoi_send_border(p[part->end - 1u], &gap);
    if (border >= part->quality && (full || part->units > AVITO_TEXT_MAX - AVITO_TEXT_MAX / 4u)) {
        part->best = part->end;
        part->quality = border;
    }
    part->walked += gap.len;
    part->units += gap.units;
    if (p[part->walked] == '\0') {
        part->best = part->end;
    }
    return !full && p[part->walked] != '\0';
}

/* The length of the part that begins here, after `blanks` that belong to it. */
static size_t avitoi_send_part_length(const char *text, size_t blanks)
{
    struct avitoi_send_part part = AVITOI_ZERO;
    part.units = blanks;
    while (avitoi_send_word(text, &part) && avitoi_send_border_found(text, &part)) {
    }
    if (part.best > 0) {
        return part.best;
    }
    return part.end > 0 || blanks > 0 ? part.end : avitoi_send_cut_character(text);
}

AVITO_API size_t avito_next_part(const char **text)
{
    if (text == NULL || *text == NULL) {
        return 0;
    }
    *text += avitoi_send_gap_at(*text).len;
    return **text != '\0' ? avitoi_send_part_length(*text, 0) : 0u;
}

/* Counts the blanks here, up to `units`. */
static size_t avitoi_send_blanks(const char *text, size_t units)
{
    size_t len = 0, n;
    while (units > 1u && (n = avitoi_send_blank(text + len)) > 0) {
        units -= (text[len] == '\r' && n == 2) ? 2u : 1u;
        len += n;
    }
    return len + (units == 1u && text[len] != '\r' ? avitoi_send_blank(text + len) : 0u);
}

AVITO_API size_t avito_split_text(const char *text)
{
    struct avitoi_send_gap gap;
    size_t n, units;
    if (text == NULL) {
        return 0;
    }
    gap = avitoi_send_gap_at(text);
    if (text[gap.len] == '\0' || gap.units >= AVITO_TEXT_MAX) {
        return avitoi_send_blanks(text, AVITO_TEXT_MAX);
    }
    n = gap.len + avitoi_send_part_length(text + gap.len, gap.units);
    units = avitoi_send_units(text, n);
    return n + (units < AVITO_TEXT_MAX ? avitoi_send_blanks(text + n, AVITO_TEXT_MAX - units) : 0u);
}

/* ---- images ---- */

static void avitoi_send_write_boundary(struct avitoi_writer *w, const avito_client *c)
{
    size_t i;
    for (i = 0; i < sizeof c->priv.json.as.before.boundary; i++) {
        avitoi_write_hex(w, c->priv.json.as.before.boundary[i]);
    }
}

/* Writes it as browsers do: UTF-8 as it is, and what could end the quotes as %22 (RFC 7578, 2 and 4.2). */
static void avitoi_send_write_file_name(struct avitoi_writer *w, const char *name)
{
    for (; *name != '\0'; name++) {
        if (avitoi_text_byte(*name) < ' ' || *name == '"' || *name == '\\' || *name == 0x7f) {
            avitoi_write_char(w, '%');
            avitoi_write_hex(w, avitoi_text_byte(*name));
        } else {
            avitoi_write(w, name, 1);
        }
    }
}

/* The bytes of an upload. Its source is asked only for those that are to be written now. */
static void avitoi_send_write_source(struct avitoi_writer *w, const avito_image_source *source)
{
    size_t at;
    w->total += (uint32_t)source->size;
    if (w->skip >= source->size) {
        w->skip -= (uint32_t)source->size;
        return;
    }
    at = w->skip;
    w->skip = 0;
    while (at < source->size && w->len < w->cap) {
        const size_t left = source->size - at;
        const size_t want = left < w->cap - w->len ? left : w->cap - w->len;
        long got = (long)want;
        if (source->read != NULL) {
            got = (source->read)(source->ctx, at, w->out + w->len, want);
        } else {
            memcpy(w->out + w->len, (const char *)source->data + at, want);
        }
        if (got <= 0 || (size_t)got > want) {
            w->failed = true;
            return;
        }
        w->len += (size_t)got;
        at += (size_t)got;
    }
}

static void avitoi_send_write_multipart(struct avitoi_writer *w, const avito_client *c, char which)
{
    const avito_image_source *source = &c->priv.args.as.upload;
    if (which == 'b') {
        avitoi_send_write_boundary(w, c);
        return;
    }
    avitoi_send_write_file_name(w, source->file_name);
    avitoi_write_text(w, "\"\r\nContent-Type: ");
    avitoi_write_text(w, source->content_type);
    avitoi_write_text(w, "\r\n\r\n");
    avitoi_send_write_source(w, source);
}

/* The boundary of an upload's parts. */
static int avitoi_send_upload_begin(avito_client *c)
{
    const avito_account *a = c->account;
    uint8_t *boundary = c->priv.json.as.before.boundary;
    c->error.detail = a->o.entropy(a->o.ctx, boundary, sizeof c->priv.json.as.before.boundary);
    return c->error.detail == AVITO_OK ? AVITO_OK : (int)AVITO_ERR_OPTION_ENTROPY;
}

static void avitoi_send_upload_progress(avito_client *c)
{
    const avito_image_source *source = &c->priv.args.as.upload;
    if (source->progress != NULL) {
        const uint32_t before =
            c->priv.total - (uint32_t)source->size; /* what follows the image counts, too: close enough */
        const uint32_t sent = c->priv.sent > before ? c->priv.sent - before : 0u;
        source->progress(source->ctx, sent, source->size);
    }
}

/* Any word may be an image's id, except those that a refusal begins with. */
static avitoi_call_result avitoi_send_uploaded(avito_client *c)
{
    struct avitoi_schema_list list;
    unsigned i;
    memcpy(&list, c->priv.out, sizeof list);
    if (list.items.count == 0) {
        return AVITO_ERR_MODEL;
    }
    memcpy(c->priv.out, list.items.items, sizeof(avito_uploaded_image));
    for (i = 0; i < avitoi_schema_reply.schema.count; i++) {
        const char *key = avitoi_schema_key(&avitoi_schema_reply.schema, i);
        if (*key != '\0' &&
            avito_str_equal(((const avito_uploaded_image *)c->priv.out)->image_id, key)) {
            return AVITO_ERR_MODEL;
        }
    }
    return AVITO_OK;
}

/* The name of an image without one: image.png for image/png. */
static const char *avitoi_send_default_name(const char *content_type)
{
    static const char names[] = "image.jpg\0image.png\0image.gif\0image.bmp\0image.heic\0image";
    const char *name = names;
    avito_str type = avitoi_text_of(content_type);
    if (avito_str_equal(type, "image/jpeg")) {
        return name;
    }
    if (!avitoi_text_starts(type, "image/")) {
        return names + sizeof names - sizeof "image";
    }
    type.ptr += 6;
    type.len -= 6u;
    while (name[5] != '\0' && !avito_str_equal(type, name + 6)) {
        name += strlen(name) + 1u;
    }
    return name;
}

static int avitoi_send_check_file_name(const char *name)
{
    unsigned n;
    if (*name == '\0') {
        return AVITO_ERR_ID;
    }
    for (; *name != '\0'; name += n) {
        n = avitoi_text_utf8_length(name, 4); /* its NUL would be malformed in a sequence */
        if (n == 0) {
            return AVITO_ERR_UTF8;
        }
    }
    return AVITO_OK;
}

/* Fills in what the program left out. */
static int avitoi_send_check_upload(const avito_account *a, struct avitoi_client_args *args)
{
    avito_image_source *source = &args->as.upload;
    int rc;
    source->content_type = source->content_type != NULL ? source->content_type : "image/jpeg";
    source->file_name =
        source->file_name != NULL ? source->file_name : avitoi_send_default_name(source->content_type);
    if (source->size == 0 || source->size > AVITO_IMAGE_MAX ||
        (source->data == NULL) == (source->read == NULL)) {
        return AVITO_ERR_ARGUMENT;
    }
    if (!avitoi_text_is_word(source->content_type)) {
        return AVITO_ERR_ID;
    }
    rc = avitoi_send_check_file_name(source->file_name);
    if (rc != AVITO_OK) {
        return rc;
    }
    return a->o.entropy != NULL ? AVITO_OK : (int)AVITO_ERR_OPTION_ENTROPY;
}

AVITO_API int avito_upload_image(avito_client *client, int64_t user_id,
                                 const avito_image_source *source, avito_arena *arena,
                                 avito_uploaded_image *out)
{
    int rc = avitoi_client_prepare(client, &avitoi_endpoint_upload_image, user_id, NULL, NULL);
    if (rc == AVITO_OK && source == NULL) {
        rc = AVITO_ERR_ARGUMENT;
    }
    if (rc == AVITO_OK) {
        client->priv.args.as.upload = *source;
        client->priv.inside = true; /* it asks for entropy */
        rc = avitoi_machine_leave(client,
                               avitoi_send_check_upload(client->account, &client->priv.args));
    }
    return avitoi_client_get(client, rc, arena, out);
}

/* ---- other changes ---- */

AVITO_API int avito_mark_chat_as_read(avito_client *client, int64_t user_id, const char *chat_id)
{
    const int rc =
        avitoi_client_prepare(client, &avitoi_endpoint_mark_chat_as_read, user_id, chat_id, NULL);
    return avitoi_client_start(client, rc, NULL, NULL);
}

AVITO_API int avito_delete_message(avito_client *client, int64_t user_id, const char *chat_id,
                                   const char *message_id)
{
    int rc = avitoi_client_prepare(client, &avitoi_endpoint_delete_message, user_id, chat_id,
                                   message_id);
    rc = (rc == AVITO_OK) ? avitoi_client_check_id(message_id) : rc;
    return avitoi_client_start(client, rc, NULL, NULL);
}

AVITO_API int avito_add_to_blacklist(avito_client *client, int64_t user_id,
                                     const avito_blacklist_user *users, size_t count)
{
    size_t i;
    int rc = avitoi_client_prepare(client, &avitoi_endpoint_add_to_blacklist, user_id, NULL, NULL);
    if (rc == AVITO_OK) {
        rc = (users == NULL || count == 0) ? AVITO_ERR_ARGUMENT : AVITO_OK;
        client->priv.args.as.many.items = users;
        client->priv.args.as.many.count = count;
    }
    for (i = 0; rc == AVITO_OK && i < count; i++) {
        const unsigned reason = (unsigned)users[i].reason;
        rc = (users[i].user_id <= 0 || users[i].item_id < 0 || reason - 1u > 3u)
                 ? AVITO_ERR_ARGUMENT
                 : AVITO_OK;
    }
    return avitoi_client_start(client, rc, NULL, NULL);
}

static bool avitoi_send_is_web_address(const char *text)
{
    return avitoi_text_is_word(text) &&
           (avitoi_text_starts(avitoi_text_of(text), "https://") ||
            avitoi_text_starts(avitoi_text_of(text), "http://"));
}

static int avitoi_send_webhook_url(avito_client *c, const struct avitoi_endpoint *call,
                                   const char *url)
{
    int rc = avitoi_client_prepare(c, call, 0, NULL, url);
    if (rc == AVITO_OK && url == NULL) {
        rc = AVITO_ERR_ARGUMENT;
    }
    if (rc == AVITO_OK && !avitoi_send_is_web_address(url)) {
        rc = AVITO_ERR_ID;
    }
    return avitoi_client_start(c, rc, NULL, NULL);
}

AVITO_API int avito_subscribe_webhook(avito_client *client, const char *url)
{
    return avitoi_send_webhook_url(client, &avitoi_endpoint_subscribe_webhook, url);
}

AVITO_API int avito_unsubscribe_webhook(avito_client *client, const char *url)
{
    return avitoi_send_webhook_url(client, &avitoi_endpoint_unsubscribe_webhook, url);
}

/* ---- without sending ---- */

/* Instead of a call with .dry_run: says what it would have sent, path and body, clipped, without the token. */
static int avitoi_send_dry_run(avito_client *c)
{
    struct avitoi_writer w;
    memset(&w, 0, sizeof w);
    if (c->o.error_body_cap > 0) {
        w.out = c->o.error_body;
        w.cap = c->o.error_body_cap - 1u;
        avitoi_write_text(&w, "POST ");
        avitoi_request_pattern(&w, c, c->priv.call->path);
        if (c->priv.call->body != NULL && (c->priv.call->flags & AVITOI_ENDPOINT_MULTIPART) == 0) {
            avitoi_write(&w, "\n", 1);
            avitoi_request_body(&w, c);
        }
        w.out[w.len] = '\0';
    }
    avitoi_call_trace(c, AVITOI_CALL_TRACE_DRY_RUN);
    if (c->priv.out != NULL) {
        memset(c->priv.out, 0,
               (c->priv.call->flags & AVITOI_ENDPOINT_MULTIPART) != 0 ? sizeof(avito_uploaded_image)
                                                                  : sizeof(avito_message));
    }
    (void)avitoi_machine_finish(c, AVITO_OK);
    c->error.outcome = AVITO_NOT_SENT;
    return AVITO_OK;
}

AVITO_API void avito_enable_dry_run(avito_client_options *options)
{
    if (options != NULL) {
        options->priv.dry_run = avitoi_send_dry_run;
    }
}

/* ======================================================================= *
 * >>81 CONFIRMING
 * ======================================================================= *
 *
 * Was it sent? The chat is read back from its newest message to the baseline, row by row, until that
 * tells. Comes in: a query and rows. Goes out: an outcome. May not send anything.
 */

/* ---- is this row what was sent? ---- */

/* Takes the next byte off that is not CR; -1: there is none. */
static int avitoi_confirm_next_char(avito_str *s)
{
    while (s->len > 0) {
        s->len--;
        if (*s->ptr++ != '\r') {
            return avitoi_text_byte(s->ptr[-1]);
        }
    }
    return -1;
}

/* Equal except for blanks at the ends and CR, which a server may change without changing the text. */
static bool avitoi_confirm_same_text(avito_str a, const char *text)
{
    avito_str b = avitoi_text_of(text);
    int c;
    avitoi_text_trim(&a);
    avitoi_text_trim(&b);
    do {
        c = avitoi_confirm_next_char(&a);
        if (c != avitoi_confirm_next_char(&b)) {
            return false;
        }
    } while (c >= 0);
    return true;
}

AVITOI_APART_IF_SMALL static bool avitoi_confirm_is_claimed(const avito_sent_query *q, avito_str id)
{
    size_t i;
    for (i = 0; i < q->claimed_count; i++) {
        if (avito_str_equal(id, q->claimed[i])) {
            return true;
        }
    }
    return false;
}

/* Can the row hide what was sent, because it shows too little? */
static bool avitoi_confirm_may_hide(const avito_message *m, bool wants_text, bool has_text)
{
    switch ((int)m->type) {
        case AVITO_MESSAGE_NONE:
        case AVITO_MESSAGE_UNKNOWN:
        case AVITO_MESSAGE_DELETED:
            return true;
        case AVITO_MESSAGE_TEXT:
        case AVITO_MESSAGE_LINK:
            return wants_text && !has_text;
        default:
            return false;
    }
}

/* Is this row what was sent? A row that shows too little may be it. */
static avito_outcome avitoi_confirm_is_ours(const avito_sent_query *q, const avito_message *m)
{
    const avito_content *content = &m->content;
    const avito_str text = content->kind == AVITO_MESSAGE_LINK
                               ? content->as.link->text
                               : avitoi_schema_content_text(content);
    if (m->direction == AVITO_DIRECTION_IN || avitoi_confirm_is_claimed(q, m->id)) {
        return AVITO_NOT_SENT;
    }
    if (m->direction != AVITO_DIRECTION_OUT || m->created <= 0 || m->is_placeholder) {
        return AVITO_CANNOT_TELL;
    }
    if (q->text == NULL ? m->type == AVITO_MESSAGE_IMAGE
                        : (text.ptr != NULL && avitoi_confirm_same_text(text, q->text))) {
        return AVITO_SENT;
    }
    return avitoi_confirm_may_hide(m, q->text != NULL, text.ptr != NULL) ? AVITO_CANNOT_TELL
                                                                         : AVITO_NOT_SENT;
}

/* ---- the chat is read back ---- */

/* The chat will be read from its newest message on: nothing was seen yet. */
static void avitoi_confirm_restart(avito_client *c)
{
    c->priv.same_second = false;
    c->priv.covered = true;
    c->priv.reached = false;
    c->priv.abandoned = false;
    c->priv.rows_before = 0;
    c->priv.json.rows = 0; /* of the look before: this one may be retried */
}

/* The baseline is still there, below a row of its second that may be ours: so that row is newer. The chat
 * is read once more, with a baseline of one second less. */
static avitoi_call_result avitoi_confirm_again(avito_client *c)
{
    avitoi_confirm_restart(c);
    c->priv.args.as.confirm.query.baseline_created--;
    return avitoi_call_repeat(c, 0);
}

/* What a row of the chat, or its end, may be. */
enum {
    AVITOI_CONFIRM_OTHER,    /* another message */
    AVITOI_CONFIRM_UNCLEAR,  /* it may be what was sent */
    AVITOI_CONFIRM_SECOND,   /* what was sent, or an older equal one: of the baseline's own second */
    AVITOI_CONFIRM_OURS,     /* what was sent */
    AVITOI_CONFIRM_BASELINE, /* the message before the send */
    AVITOI_CONFIRM_OLDER,    /* older than that, or the beginning of the chat */
    AVITOI_CONFIRM_CUT       /* the end of what can be read, and nothing of that has come */
};

enum { AVITOI_CONFIRM_KEEP, AVITOI_CONFIRM_SET, AVITOI_CONFIRM_CLEAR };

/* And what follows from it: is the search over; is it still sure that no row so far was ours; was it found;
 * what becomes of same_second. */
static const struct {
    bool over, covers, found;
    uint8_t same_second;
} avitoi_confirm_effects[] = {
    /* OTHER */    {false, true, false, AVITOI_CONFIRM_KEEP},
    /* UNCLEAR */  {false, false, false, AVITOI_CONFIRM_KEEP},
    /* SECOND */   {false, false, false, AVITOI_CONFIRM_SET},
    /* OURS */     {true, true, true, AVITOI_CONFIRM_CLEAR},
    /* BASELINE */ {true, true, false, AVITOI_CONFIRM_KEEP},
    /* OLDER */    {true, true, false, AVITOI_CONFIRM_CLEAR},
    /* CUT */      {true, false, false, AVITOI_CONFIRM_CLEAR}};

/* The end of the chat. Rows that are all newer than the baseline cover nothing, unless the chat was empty
 * before the send. */
static unsigned avitoi_confirm_end(const avito_client *c)
{
    const bool whole = c->priv.reached || c->priv.args.as.confirm.query.baseline_id == NULL;
    return whole && !c->priv.has_more ? AVITOI_CONFIRM_OLDER : AVITOI_CONFIRM_CUT;
}

/* Compares a row with the send that is looked for. `rc` < 0: the row could not be read, and only its id is
 * known. */
static unsigned avitoi_confirm_kind(avito_client *c, int rc)
{
    const avito_sent_query *q = &c->priv.args.as.confirm.query;
    const avito_message *m = (const avito_message *)c->priv.out;
    const avito_str id = c->priv.json.id;
    avito_outcome ours;
    if (q->baseline_id != NULL && avito_str_equal(id, q->baseline_id)) {
        return AVITOI_CONFIRM_BASELINE; /* neither this row nor a claimed one need fit the arena */
    }
    if (rc < 0) { /* it could not be read */
        return avitoi_confirm_is_claimed(q, id) ? AVITOI_CONFIRM_OTHER : AVITOI_CONFIRM_UNCLEAR;
    }
    if (m->created > 0 && m->created < q->baseline_created) {
        return AVITOI_CONFIRM_OLDER;
    }
    c->priv.reached = c->priv.reached || (m->created > 0 && m->created == q->baseline_created);
    ours = avitoi_confirm_is_ours(q, m);
    if (ours != AVITO_SENT) {
        return ours == AVITO_NOT_SENT ? AVITOI_CONFIRM_OTHER : AVITOI_CONFIRM_UNCLEAR;
    }
    return q->baseline_id != NULL && m->created == q->baseline_created ? AVITOI_CONFIRM_SECOND
                                                                       : AVITOI_CONFIRM_OURS;
}

/* The search is over: what is the outcome? Cannot tell, unless all rows are covered. */
static void avitoi_confirm_conclude(avito_client *c, bool found)
{
    const avito_sent_query *q = &c->priv.args.as.confirm.query;
    const bool late = q->age_s >= (q->grace_s != 0 ? q->grace_s : 60u); /* it would be there by now */
    if (c->priv.covered) {
        *c->priv.args.as.confirm.outcome = found  ? AVITO_SENT
                                           : late ? AVITO_NOT_SENT
                                                  : AVITO_CANNOT_TELL;
    }
    if (!found) { /* the arena keeps nothing but what was found */
        c->priv.json.mem.low = 0;
    }
}

/* One row, or the end, of the chat that is read back. */
static avitoi_call_result avitoi_confirm_row(avito_client *c, int rc)
{
    const bool at_end = c->priv.state != AVITOI_CALL_ROW;
    unsigned kind, second;
    bool over, found;
    if (at_end && rc != AVITO_END) {
        return rc == AVITO_OK && c->priv.same_second ? avitoi_confirm_again(c) : rc;
    }
    kind = at_end ? avitoi_confirm_end(c) : avitoi_confirm_kind(c, rc);
    over = avitoi_confirm_effects[kind].over;
    found = avitoi_confirm_effects[kind].found;
    second = avitoi_confirm_effects[kind].same_second;
    c->priv.covered = found || (c->priv.covered && avitoi_confirm_effects[kind].covers);
    if (second != AVITOI_CONFIRM_KEEP) {
        c->priv.same_second = second == AVITOI_CONFIRM_SET;
    }
    if (over) {
        avitoi_confirm_conclude(c, found);
    }
    if (at_end) {
        return AVITO_OK;
    }
    c->priv.cut_at = 0;
    c->priv.abandoned = over;
    return over ? avitoi_call_move(c, AVITOI_CALL_EV_DRAIN) : avitoi_list_go_on(c);
}

/* Reads the chat back, looking for what `args` say. */
AVITOI_APART static void avitoi_confirm_read_back(avito_client *c, avito_outcome *outcome)
{
    c->priv.args.as.confirm.outcome = outcome;
    c->priv.judge = avitoi_confirm_row;
    avitoi_confirm_restart(c);
    avito_enable_pages(&c->o); /* what was sent may be on a later page */
    (void)avitoi_list_page(c, 100, 0, true, AVITO_MESSAGE_CONTENTS, 0);
}

AVITO_API int avito_confirm_sent(avito_client *client, int64_t user_id, const char *chat_id,
                                 const avito_sent_query *query, avito_arena *arena,
                                 avito_outcome *outcome, avito_message *found)
{
    int rc = avitoi_client_prepare(client, &avitoi_endpoint_get_messages, user_id, chat_id, NULL);
    if (outcome != NULL) {
        *outcome = AVITO_CANNOT_TELL;
    }
    if (rc == AVITO_OK && (query == NULL || outcome == NULL ||
                           (query->claimed == NULL && query->claimed_count > 0))) {
        rc = AVITO_ERR_ARGUMENT;
    }
    if (rc == AVITO_OK) {
        client->priv.args.as.confirm.query = *query;
        avitoi_confirm_read_back(client, outcome);
    }
    return avitoi_client_get(client, rc, arena, found);
}

/* ---- sends that settle themselves ---- */

#define AVITOI_CONFIRM_PAUSE_MS 2000u

/* A send that has just ended and cannot tell: what is to be looked for. */
static bool avitoi_confirm_begin_settling(avito_client *c, int rc)
{
    const bool text = c->priv.call->body == avitoi_endpoint_body_message;
    if (rc >= 0 || (c->priv.call->flags & AVITOI_ENDPOINT_ID) == 0 || c->priv.out == NULL ||
        avitoi_error_outcome(c, rc) != AVITO_CANNOT_TELL) {
        return false;
    }
    c->priv.args.as.confirm.query = *c->priv.baseline;
    c->priv.args.as.confirm.query.text = text ? c->priv.args.text : NULL;
    c->priv.settling = true;
    c->priv.cause = (int16_t)rc;
    c->priv.cause_status = c->priv.status;
    c->priv.args.as.confirm.sent_ms = c->priv.last_ms;
    c->priv.verdict = AVITO_CANNOT_TELL;
    c->priv.call = &avitoi_endpoint_get_messages;
    return true;
}

/* The end of a call. A send that cannot tell goes on with reading the chat back, again and again, until
 * the outcome is known, the time is over, or the service refuses a token or the chat. */
static avitoi_call_result avitoi_confirm_settle(avito_client *c, int rc)
{
    const uint32_t pause_ms = c->priv.settling ? AVITOI_CONFIRM_PAUSE_MS : 0u;
    const bool refused =
        c->priv.settling && c->priv.status / 100u == 4u && c->priv.status != 429;
    if (c->priv.settling) { /* the error's text is of the reading back, not of the send */
        avitoi_call_forget_error(c);
    }
    if (c->priv.settling && c->priv.verdict != AVITO_CANNOT_TELL) {
        return c->priv.verdict == AVITO_SENT ? AVITO_OK : (int)c->priv.cause;
    }
    if (!c->priv.settling && !avitoi_confirm_begin_settling(c, rc)) {
        return rc;
    }
    if (rc < 0) {
        avitoi_call_drop(c, rc);
    }
    avitoi_token_resign(c);
    if (refused || pause_ms >= c->priv.total_left_ms) {
        return c->priv.cause;
    }
    avitoi_call_trace(c, AVITOI_CALL_TRACE_SETTLE);
    c->priv.args.as.confirm.query.baseline_created = c->priv.baseline->baseline_created;
    c->priv.args.as.confirm.query.age_s =
        avitoi_number_elapsed(c->priv.last_ms, c->priv.args.as.confirm.sent_ms) / 1000u;
    avitoi_confirm_read_back(c, &c->priv.verdict);
    return avitoi_call_repeat(c, pause_ms);
}

AVITO_API int avito_confirm_sends(avito_client *client, const avito_sent_query *baseline)
{
    if (!avitoi_machine_is_ready(client) ||
        (baseline != NULL && baseline->claimed == NULL && baseline->claimed_count > 0)) {
        return AVITO_ERR_ARGUMENT;
    }
    if (client->priv.call != NULL || client->priv.inside) {
        return AVITO_ERR_BUSY;
    }
    client->priv.baseline = baseline;
    client->settle = baseline != NULL ? avitoi_confirm_settle : NULL;
    return AVITO_OK;
}

/* ======================================================================= *
 * >>82 RAW JSON
 * ======================================================================= *
 *
 * The JSON machine proves that a text is valid, without a schema; only then jsmn tokenises it. Alone
 * jsmn takes much that is no JSON, and needs quadratic time in depth. The machine uses the memory of the
 * tokens until these are written. The accessors walk tokens, never text beyond a token's end.
 *
 * Comes in: a text and memory for tokens. Goes out: values. May not take a text that the machine refuses.
 */

#if defined(JSMN_H) && !(defined(JSMN_STRICT) && defined(JSMN_PARENT_LINKS))
#error "jsmn.h was included before with another configuration: include avito_messenger.h first"
#endif
#ifndef JSMN_H
#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wimplicit-fallthrough"
#if defined(__clang__)
#pragma GCC diagnostic ignored "-Weverything"
#endif
#endif
#if defined(__has_include)
#if !__has_include("jsmn.h")
#error "jsmn.h is neither beside this file nor in the include path: put it there (Debian: libjsmn-dev; \
else github.com/zserge/jsmn), or use the file that `make dist` writes, which has it inside"
#endif
#endif
#include "jsmn.h"
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
#endif

AVITOI_ASSERT(json_tokens_have_20_bytes, sizeof(jsmntok_t) == 20);

static bool avitoi_raw_is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static avito_str avitoi_raw_trimmed(const char *text, size_t len)
{
    avito_str s;
    for (; len > 0 && avitoi_raw_is_blank(*text); len--) {
        text++;
    }
    for (; len > 0 && avitoi_raw_is_blank(text[len - 1u]); len--) {
    }
    s.ptr = text;
    s.len = len;
    return s;
}

static bool avitoi_raw_is_container(avito_str s)
{
    return s.len > 0 && (*s.ptr == '{' || *s.ptr == '[');
}

/* Where the string, number or word at the beginning of `s` ends. */
static size_t avitoi_raw_scalar(avito_str s)
{
    size_t i = 1;
    if (*s.ptr == '"') {
        for (; i < s.len && s.ptr[i] != '"'; i++) {
            i += (s.ptr[i] == '\\') ? 1u : 0u;
        }
        return i + 1u;
    }
    for (; i < s.len && strchr(",:]}", s.ptr[i]) == NULL && !avitoi_raw_is_blank(s.ptr[i]); i++) {
    }
    return i;
}

/* Valid JSON? The machine reads no scalar by itself: it gets one as the only element of a
 * list. */
static int avitoi_raw_check(struct avitoi_json *j, avito_str s)
{
    const bool alone = !avitoi_raw_is_container(s);
    size_t used;
    int rc;
    if (s.len == 0) {
        return AVITO_ERR_EMPTY;
    }
    if (alone && avitoi_raw_scalar(s) != s.len) {
        return AVITO_ERR_JSON;
    }
    avitoi_json_begin(j, NULL, NULL);
    if (alone) {
        (void)avitoi_json_feed(j, "[", 1, &used);
    }
    rc = avitoi_json_feed(j, s.ptr, s.len, &used);
    if (alone && rc == AVITO_AGAIN) {
        rc = avitoi_json_feed(j, "]", 1, &used);
    }
    return (rc == AVITO_AGAIN) ? avitoi_json_end(j) : rc;
}

/* The tokens of a valid text, of which `room` fit; returns how many it has. Outside of a container jsmn
 * takes no number or word: the token of such a text is written here. */
static int avitoi_raw_tokenise(avito_str s, jsmntok_t *tokens, size_t room)
{
    const bool quoted = *s.ptr == '"';
    jsmn_parser parser;
    int count;
    if (!avitoi_raw_is_container(s)) {
        tokens->type = quoted ? JSMN_STRING : JSMN_PRIMITIVE;
        tokens->start = quoted ? 1 : 0;
        tokens->end = (int)s.len - (quoted ? 1 : 0);
        tokens->parent = -1;
        return 1;
    }
    jsmn_init(&parser);
    count =
        jsmn_parse(&parser, s.ptr, s.len, tokens, (unsigned)(room < INT32_MAX ? room : INT32_MAX));
    if (count < 0) { /* they do not fit: only counted */
        jsmn_init(&parser);
        count = jsmn_parse(&parser, s.ptr, s.len, NULL, 0);
    }
    return count;
}

AVITO_API int avito_json_parse(avito_json *json, const void *text, size_t len, void *memory,
                               size_t memory_size)
{
    const size_t skew = (0u - (size_t)(uintptr_t)memory) & 7u;
    const size_t size = memory_size > skew ? memory_size - skew : 0u;
    char *const room = (char *)memory + skew;
    avito_str s;
    size_t count;
    int rc;
    if (json == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    memset(json, 0, sizeof *json);
    if (text == NULL || memory == NULL || len > INT32_MAX) {
        return AVITO_ERR_ARGUMENT;
    }
    if (size < sizeof(struct avitoi_json)) {
        json->needed = AVITO_JSON_TOKENS_SIZE(0);
        return AVITO_ERR_ROOM;
    }
    s = avitoi_raw_trimmed((const char *)text, len);
    rc = avitoi_raw_check((struct avitoi_json *)(void *)room, s);
    if (rc != AVITO_OK) {
        return rc;
    }
    count = (size_t)avitoi_raw_tokenise(s, (jsmntok_t *)(void *)room, size / sizeof(jsmntok_t));
    if (count > size / sizeof(jsmntok_t)) {
        json->needed = AVITO_JSON_TOKENS_SIZE(count);
        return AVITO_ERR_ROOM;
    }
    json->priv.text = s.ptr;
    json->priv.tokens = room;
    json->priv.count = count;
    return AVITO_OK;
}

/* ---- walking ---- */

static const jsmntok_t *avitoi_raw_tokens(const avito_json *json)
{
    return (const jsmntok_t *)json->priv.tokens;
}

/* NULL: none. */
static const jsmntok_t *avitoi_raw_token(avito_json_value value)
{
    const bool there = value.json != NULL && value.token < value.json->priv.count;
    return there ? avitoi_raw_tokens(value.json) + value.token : NULL;
}

static avito_json_value avitoi_raw_value(const avito_json *json, size_t token)
{
    avito_json_value value;
    value.json = json;
    value.token = token;
    return value;
}

static avito_json_value avitoi_raw_none(void)
{
    return avitoi_raw_value(NULL, 0);
}

AVITO_API avito_json_value avito_json_root(const avito_json *json)
{
    return avitoi_raw_value(json, 0);
}

AVITO_API avito_json_type avito_json_type_of(avito_json_value value)
{
    const jsmntok_t *t = avitoi_raw_token(value);
    char first;
    if (t == NULL) {
        return AVITO_JSON_NONE;
    }
    if (t->type != JSMN_PRIMITIVE) {
        return t->type == JSMN_OBJECT  ? AVITO_JSON_OBJECT
               : t->type == JSMN_ARRAY ? AVITO_JSON_ARRAY
                                       : AVITO_JSON_STRING;
    }
    first = value.json->priv.text[t->start];
    return first == 'n'                   ? AVITO_JSON_NULL
           : first == 't' || first == 'f' ? AVITO_JSON_BOOL
                                          : AVITO_JSON_NUMBER;
}

AVITO_API size_t avito_json_count(avito_json_value value)
{
    const avito_json_type type = avito_json_type_of(value);
    return type >= AVITO_JSON_ARRAY ? (size_t)avitoi_raw_token(value)->size : 0u;
}

AVITO_API avito_json_value avito_json_first(avito_json_value value)
{
    if (avito_json_count(value) == 0) {
        return avitoi_raw_none();
    }
    return avitoi_raw_value(
        value.json, value.token + (avito_json_type_of(value) == AVITO_JSON_OBJECT ? 2u : 1u));
}

AVITO_API avito_json_value avito_json_key(avito_json_value value)
{
    const jsmntok_t *t = avitoi_raw_token(value);
    if (t == NULL || t->parent < 0 ||
        avitoi_raw_tokens(value.json)[t->parent].type != JSMN_STRING) {
        return avitoi_raw_none();
    }
    return avitoi_raw_value(value.json, (size_t)t->parent);
}

AVITO_API avito_json_value avito_json_next(avito_json_value value)
{
    const avito_json_value key = avito_json_key(value);
    const jsmntok_t *t = avitoi_raw_token(value);
    const jsmntok_t *tokens;
    size_t i = value.token + 1u;
    int container;
    if (t == NULL || t->parent < 0) {
        return avitoi_raw_none();
    }
    tokens = avitoi_raw_tokens(value.json);
    container = (key.json != NULL) ? tokens[key.token].parent : t->parent;
    while (i < value.json->priv.count && tokens[i].start < t->end) { /* what is inside of it */
        i++;
    }
    if (i >= value.json->priv.count || tokens[i].parent != container) {
        return avitoi_raw_none();
    }
    return avitoi_raw_value(value.json, key.json != NULL ? i + 1u : i);
}

AVITO_API avito_json_value avito_json_at(avito_json_value value, size_t index)
{
    avito_json_value at = avito_json_first(value);
    for (; index > 0 && at.json != NULL; index--) {
        at = avito_json_next(at);
    }
    return at;
}

/* ---- values ---- */

AVITO_API avito_str avito_json_raw(avito_json_value value)
{
    const jsmntok_t *t = avitoi_raw_token(value);
    avito_str s = {NULL, 0};
    if (t != NULL) {
        const int quote = (t->type == JSMN_STRING) ? 1 : 0;
        s.ptr = value.json->priv.text + t->start - quote;
        s.len = (size_t)(t->end - t->start) + 2u * (size_t)quote;
    }
    return s;
}

/* The four digits at `p`. */
static uint32_t avitoi_raw_unit(const char *p)
{
    return avitoi_text_hex_digit(p[0]) << 12 | avitoi_text_hex_digit(p[1]) << 8 |
           avitoi_text_hex_digit(p[2]) << 4 | avitoi_text_hex_digit(p[3]);
}

/* The code point of the \u at *p, of a valid string, which goes on after it. */
static uint32_t avitoi_raw_point(const char **p, const char *end)
{
    const uint32_t unit = avitoi_raw_unit(*p + 2);
    *p += 6;
    if (unit < 0xd800u || unit > 0xdfffu) {
        return unit;
    }
    if (unit < 0xdc00u && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
        const uint32_t low = avitoi_raw_unit(*p + 2);
        if (low >= 0xdc00u && low <= 0xdfffu) {
            *p += 6;
            return 0x10000u + ((unit - 0xd800u) << 10) + (low - 0xdc00u);
        }
    }
    return 0xfffdu;
}

/* The next byte, or the next escape decoded, of a valid string; returns how many bytes that are. */
static size_t avitoi_raw_next(const char **p, const char *end, char out[4])
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (**p == '\\' && (*p)[1] == 'u') {
        return avitoi_text_utf8_put(avitoi_raw_point(p, end), out);
    }
    if (**p == '\\') {
        const char *at = (const char *)memchr(from, (*p)[1], sizeof from - 1u);
        *out = to[at - from];
        *p += 2;
        return 1;
    }
    *out = *(*p)++;
    return 1;
}

/* What is between the quotes of a string. */
static avito_str avitoi_raw_inside(avito_json_value value)
{
    avito_str s = avito_json_raw(value);
    s.ptr++;
    s.len -= 2u;
    return s;
}

AVITO_API bool avito_json_is(avito_json_value value, const char *word)
{
    avito_str s;
    const char *end;
    size_t left;
    if (avito_json_type_of(value) != AVITO_JSON_STRING || word == NULL) {
        return false;
    }
    s = avitoi_raw_inside(value);
    end = s.ptr + s.len;
    left = strlen(word);
    while (s.ptr < end) {
        char bytes[4];
        const size_t n = avitoi_raw_next(&s.ptr, end, bytes);
        if (n > left || memcmp(word, bytes, n) != 0) {
            return false;
        }
        word += n;
        left -= n;
    }
    return left == 0;
}

AVITO_API avito_json_value avito_json_get(avito_json_value object, const char *key)
{
    avito_json_value at = avitoi_raw_none();
    if (avito_json_type_of(object) == AVITO_JSON_OBJECT && key != NULL) {
        at = avito_json_first(object);
        while (at.json != NULL && !avito_json_is(avito_json_key(at), key)) {
            at = avito_json_next(at);
        }
    }
    return at;
}

/* Decodes to `out`, unless that is NULL; returns the length. */
static size_t avitoi_raw_decode(avito_str s, char *out)
{
    const char *const end = s.ptr + s.len;
    size_t len = 0;
    while (s.ptr < end) {
        char bytes[4];
        const size_t n = avitoi_raw_next(&s.ptr, end, bytes);
        if (out != NULL) {
            memcpy(out + len, bytes, n);
        }
        len += n;
    }
    return len;
}

/* The result of reading a value as this type; AVITO_OK: it has this type. */
static int avitoi_raw_expect(avito_json_value value, avito_json_type type)
{
    const avito_json_type is = avito_json_type_of(value);
    return is == type ? AVITO_OK : is <= AVITO_JSON_NULL ? AVITO_END : AVITO_ERR_MODEL;
}

AVITO_API int avito_json_string(avito_json_value value, avito_arena *arena, avito_str *out,
                                size_t *needed)
{
    const int rc = avitoi_raw_expect(value, AVITO_JSON_STRING);
    avito_str s;
    char *to;
    size_t len, end;
    if (needed != NULL) {
        *needed = 0;
    }
    if (arena == NULL || arena->base == NULL || out == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    if (arena->busy) {
        return AVITO_ERR_BUSY;
    }
    memset(out, 0, sizeof *out);
    if (rc != AVITO_OK) {
        return rc;
    }
    s = avitoi_raw_inside(value);
    len = avitoi_raw_decode(s, NULL);
    end = avitoi_arena_align(arena->used + len + 1u);
    if (end > arena->cap) {
        if (needed != NULL) {
            *needed = avitoi_arena_needed(end);
        }
        return AVITO_ERR_ARENA;
    }
    arena->fills++;
    to = arena->base + arena->used;
    (void)avitoi_raw_decode(s, to);
    to[len] = '\0';
    out->ptr = to;
    out->len = len;
    arena->used = end;
    arena->peak = (end > arena->peak) ? end : arena->peak;
    return AVITO_OK;
}

AVITO_API int avito_json_int(avito_json_value value, int64_t *out)
{
    const int rc = avitoi_raw_expect(value, AVITO_JSON_NUMBER);
    avito_str s;
    int64_t number;
    if (out == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    if (rc != AVITO_OK) {
        return rc;
    }
    s = avito_json_raw(value);
    if (!avitoi_number_parse_int(s.ptr, s.len, &number)) {
        return AVITO_ERR_MODEL;
    }
    *out = number;
    return AVITO_OK;
}

AVITO_API int avito_json_bool(avito_json_value value, bool *out)
{
    const int rc = avitoi_raw_expect(value, AVITO_JSON_BOOL);
    if (out == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    if (rc == AVITO_OK) {
        *out = *avito_json_raw(value).ptr == 't';
    }
    return rc;
}

/* ======================================================================= *
 * >>83 SHOW
 * ======================================================================= *
 *
 * The words of enums, and a message as a line for a person, which drops what does not fit.
 *
 * Comes in: models, constants. Goes out: text. May not put a control byte into the line.
 */

/* ---- words ---- */

/* Ours, each in the order of its enum. */
#define AVITOI_SHOW_REASONS(X) X(SPAM, spam) X(FRAUD, fraud) X(INSULT, insult) X(OTHER, other)
#define AVITOI_SHOW_OUTCOMES(X) X(NOT_SENT, not_sent) X(SENT, sent) X(CANNOT_TELL, cannot_tell)
#define AVITOI_SHOW_JSON_TYPES(X)                                                                  \
    X(NONE, none) X(NULL, null) X(BOOL, bool) X(NUMBER, number) X(STRING, string) X(ARRAY, array)  \
    X(OBJECT, object)
#define AVITOI_SHOW_STARTS(X) X(NOW, now) X(UNREAD, unread) X(SINCE, since)
#define AVITOI_SHOW_LANGUAGES(X) X(RUSSIAN, ru) X(ENGLISH, en)
#define AVITOI_SHOW_CLASSES(X)                                                                     \
    X(BUYER, buyer) X(OWN, own) X(SYSTEM, system) X(PLACEHOLDER, placeholder) X(DELETED, deleted)  \
    X(UNSUPPORTED, unsupported)
AVITOI_TEXT_WORDS(avitoi_show_reasons, AVITOI_SHOW_REASONS);
AVITOI_TEXT_WORDS(avitoi_show_outcomes, AVITOI_SHOW_OUTCOMES);
AVITOI_TEXT_WORDS(avitoi_show_json_types, AVITOI_SHOW_JSON_TYPES);
AVITOI_TEXT_WORDS(avitoi_show_starts, AVITOI_SHOW_STARTS);
AVITOI_TEXT_WORDS(avitoi_show_languages, AVITOI_SHOW_LANGUAGES);
AVITOI_TEXT_WORDS(avitoi_show_classes, AVITOI_SHOW_CLASSES);

/* The first word of a list has number 1. */
static const char *avitoi_show_word(const void *list, unsigned number)
{
    const char *words = (const char *)list;
    for (; number > 1u && *words != '\0'; number--) {
        words = avitoi_text_next_word(words);
    }
    return number == 1u && *words != '\0' ? words + 1 : "";
}

AVITO_API const char *avito_message_type_word(avito_message_type type)
{
    return avitoi_show_word(&avitoi_schema_message_types, (unsigned)type);
}

AVITO_API const char *avito_direction_word(avito_direction direction)
{
    return avitoi_show_word(&avitoi_schema_directions, (unsigned)direction);
}

/* One bit each. */
AVITO_API const char *avito_chat_type_word(avito_chat_type chat_type)
{
    unsigned bit = 0;
    while (bit < 8u && (unsigned)chat_type != 1u << bit) {
        bit++;
    }
    return avitoi_show_word(&avitoi_schema_chat_types, bit + 1u);
}

AVITO_API const char *avito_call_status_word(avito_call_status status)
{
    return avitoi_show_word(&avitoi_schema_call_statuses, (unsigned)status);
}

AVITO_API const char *avito_location_kind_word(avito_location_kind kind)
{
    return avitoi_show_word(&avitoi_schema_location_kinds, (unsigned)kind);
}

AVITO_API const char *avito_blacklist_reason_word(avito_blacklist_reason reason)
{
    return avitoi_show_word(&avitoi_show_reasons, (unsigned)reason);
}

AVITO_API const char *avito_outcome_word(avito_outcome outcome)
{
    return avitoi_show_word(&avitoi_show_outcomes, (unsigned)outcome + 1u);
}

AVITO_API const char *avito_json_type_word(avito_json_type type)
{
    return avitoi_show_word(&avitoi_show_json_types, (unsigned)type + 1u);
}

AVITO_API const char *avito_inbox_start_word(avito_inbox_start start)
{
    return avitoi_show_word(&avitoi_show_starts, (unsigned)start + 1u);
}

AVITO_API const char *avito_language_word(avito_language language)
{
    return avitoi_show_word(&avitoi_show_languages, (unsigned)language + 1u);
}

AVITO_API avito_message_class avito_classify(const avito_message *message)
{
    if (message == NULL) {
        return AVITO_CLASS_UNSUPPORTED;
    }
    if (message->is_placeholder) {
        return AVITO_CLASS_PLACEHOLDER;
    }
    if (message->type == AVITO_MESSAGE_DELETED) {
        return AVITO_CLASS_DELETED;
    }
    if (message->is_own) {
        return AVITO_CLASS_OWN;
    }
    if (message->is_system) {
        return AVITO_CLASS_SYSTEM;
    }
    return message->content.kind == AVITO_MESSAGE_NONE ? AVITO_CLASS_UNSUPPORTED
                                                       : AVITO_CLASS_BUYER;
}

AVITO_API const char *avito_message_class_word(avito_message_class message_class)
{
    const unsigned last = (unsigned)AVITO_CLASS_UNSUPPORTED, word = (unsigned)message_class;
    return avitoi_show_word(&avitoi_show_classes, (word < last ? word : last) + 1u);
}

/* ---- a line for a person ---- */

#define AVITOI_SHOW_ELLIPSIS "…"

struct avitoi_show_line {
    char *out;
    size_t cap, len;
    size_t fits;  /* bytes after which an ellipsis still fits */
    bool blank;   /* one has to come before the next character */
    bool cut;
};

static void avitoi_show_character(struct avitoi_show_line *line, const char *p, size_t n)
{
    const size_t blank = line->blank ? 1u : 0u;
    if (n + blank >= line->cap - line->len) {
        line->cut = true;
        return;
    }
    if (line->blank) {
        line->out[line->len++] = ' ';
        line->blank = false;
    }
    memcpy(line->out + line->len, p, n);
    line->len += n;
    if (line->cap - line->len >= sizeof AVITOI_SHOW_ELLIPSIS) {
        line->fits = line->len;
    }
}

/* Blanks of any kind, and what ends a line. */
static bool avitoi_show_is_blank(uint32_t point)
{
    return point == ' ' || (point >= '\t' && point <= '\r') || point == 0x85u || point == 0x2028u ||
           point == 0x2029u;
}

/* Control characters, and those that turn the direction of writing (Unicode's Bidi_Control). */
static bool avitoi_show_is_hidden(uint32_t point)
{
    return point < ' ' || (point >= 0x7fu && point < 0xa0u) || point == 0x61cu || point == 0x200eu ||
           point == 0x200fu || (point >= 0x202au && point <= 0x202eu) ||
           (point >= 0x2066u && point <= 0x2069u) || point == 0xfeffu;
}

static void avitoi_show_text(struct avitoi_show_line *line, avito_str s)
{
    while (s.len > 0 && !line->cut) {
        const size_t n = avitoi_text_grapheme(s.ptr, s.len);
        const unsigned first = avitoi_text_utf8_length(s.ptr, s.len);
        const bool good = first > 0 && first <= s.len;
        const uint32_t point = good ? avitoi_text_point(s.ptr, first) : '?';
        if (avitoi_show_is_blank(point)) {
            line->blank = line->len > 0;
        } else if (!avitoi_show_is_hidden(point)) {
            avitoi_show_character(line, good ? s.ptr : "?", n);
        }
        s.ptr += n;
        s.len -= n;
    }
}

static void avitoi_show_words(struct avitoi_show_line *line, const char *words)
{
    avitoi_show_text(line, avitoi_text_of(words));
}

/* "[word] " */
static void avitoi_show_label(struct avitoi_show_line *line, avito_str word)
{
    avitoi_show_words(line, "[");
    avitoi_show_text(line, word);
    avitoi_show_words(line, "] ");
}

/* X(type, in Russian, in English): what a message of that type is called. */
#define AVITOI_SHOW_TYPES(X)                                                                       \
    X(IMAGE, "фото", "photo")                                                                      \
    X(LINK, "ссылка", "link")                                                                      \
    X(ITEM, "объявление", "listing")                                                               \
    X(LOCATION, "место", "location")                                                               \
    X(CALL, "звонок", "call")                                                                      \
    X(VOICE, "голосовое сообщение", "voice message")                                               \
    X(SYSTEM, "системное сообщение", "system message")                                             \
    X(DELETED, "сообщение удалено", "message deleted")                                             \
    X(APP_CALL, "звонок в приложении", "call in the app")                                          \
    X(FILE, "файл", "file")                                                                        \
    X(VIDEO, "видео", "video")                                                                     \
    X(NONE, "сообщение", "message")

#define AVITOI_SHOW_TYPE_COUNT_(name, russian, english) +1
AVITOI_ASSERT(each_type_has_a_name, /* TEXT needs none, NONE has one */
              0 AVITOI_SHOW_TYPES(AVITOI_SHOW_TYPE_COUNT_) ==
                  0 AVITO_MESSAGE_TYPES(AVITOI_SCHEMA_MODEL_COUNT_));

/* NULL: it has no name here. */
static const char *avitoi_show_type(avito_message_type type, avito_language language)
{
    switch ((int)type) {
#define AVITOI_SHOW_TYPE_(name, russian, english)                                                  \
    case AVITO_MESSAGE_##name:                                                                     \
        return language == AVITO_ENGLISH ? (english) : (russian);
        AVITOI_SHOW_TYPES(AVITOI_SHOW_TYPE_)
#undef AVITOI_SHOW_TYPE_
        default:
            return NULL;
    }
}

/* The first of the two texts that is not empty. */
static avito_str avitoi_show_either(avito_str first, avito_str second)
{
    return first.len > 0 ? first : second;
}

/* What names the content, after its label. */
static void avitoi_show_content(struct avitoi_show_line *line, const avito_content *c)
{
    switch ((int)c->kind) {
        case AVITO_MESSAGE_LINK:
            avitoi_show_text(line, avitoi_show_either(c->as.link->text, c->as.link->url));
            break;
        case AVITO_MESSAGE_ITEM:
            avitoi_show_text(line, c->as.item->title);
            if (c->as.item->title.len > 0 && c->as.item->price_string.len > 0) {
                avitoi_show_words(line, ", ");
            }
            avitoi_show_text(line, c->as.item->price_string);
            break;
        case AVITO_MESSAGE_LOCATION:
            avitoi_show_text(line, avitoi_show_either(c->as.location->title, c->as.location->text));
            break;
        default:
            break;
    }
}

/* A call that was not taken has a name of its own. */
static avito_str avitoi_show_name_of(const avito_message *m, avito_language language)
{
    const avito_content *c = &m->content;
    const avito_message_type type = c->kind != AVITO_MESSAGE_NONE ? c->kind : m->type;
    const char *name = avitoi_show_type(type, language);
    if (c->kind == AVITO_MESSAGE_CALL && c->as.call->status == AVITO_CALL_MISSED) {
        name = language == AVITO_ENGLISH ? "missed call" : "пропущенный звонок";
    }
    if (name == NULL && m->type_word.len > 0) {
        return m->type_word;
    }
    return avitoi_text_of(name != NULL ? name : avitoi_show_type(AVITO_MESSAGE_NONE, language));
}

AVITO_API size_t avito_message_preview(const avito_message *message, avito_language language,
                                       char *out, size_t cap)
{
    struct avitoi_show_line line = AVITOI_ZERO;
    avito_str text;
    if (out == NULL || cap == 0) {
        return 0;
    }
    *out = '\0';
    if (message == NULL) {
        return 0;
    }
    line.out = out;
    line.cap = cap;
    text = avitoi_schema_content_text(&message->content);
    if (text.ptr != NULL) {
        avitoi_show_text(&line, text);
    } else {
        avitoi_show_label(&line, avitoi_show_name_of(message, language));
        avitoi_show_content(&line, &message->content);
    }
    if ((line.cut || message->is_cut) && cap >= sizeof AVITOI_SHOW_ELLIPSIS) {
        memcpy(out + line.fits, AVITOI_SHOW_ELLIPSIS, sizeof AVITOI_SHOW_ELLIPSIS - 1u);
        line.len = line.fits + sizeof AVITOI_SHOW_ELLIPSIS - 1u;
    }
    out[line.len] = '\0';
    return line.len;
}

/* ======================================================================= *
 * >>84 SHOW: JSON
 * ======================================================================= *
 *
 * Writes a message or a chat as one line of JSON, under the service's names. The request writer does it: it
 * counts on where the room ends. Comes in: models. Goes out: the line, or the size that it needs. May not
 * leave a part of a line behind.
 */

struct avitoi_show {
    struct avitoi_writer w;
    bool comma;  /* the next member needs one before it */
    bool inside; /* the message is inside its chat, and need not name it */
};

/* A member's name as it is written. Nothing else uses these literals, so a program that shows nothing has none
 * of them. */
#define AVITOI_SHOW_NAME(name) "\"" #name "\":"

static void avitoi_show_comma(struct avitoi_show *s)
{
    if (s->comma) {
        avitoi_write(&s->w, ",", 1);
    }
    s->comma = true;
}

static void avitoi_show_name(struct avitoi_show *s, const char *name)
{
    avitoi_show_comma(s);
    avitoi_write_text(&s->w, name);
}

static void avitoi_show_string(struct avitoi_show *s, avito_str value)
{
    avitoi_write_json(&s->w, value);
}

static void avitoi_show_str(struct avitoi_show *s, const char *name, avito_str value)
{
    if (value.ptr != NULL) {
        avitoi_show_name(s, name);
        avitoi_show_string(s, value);
    }
}

static void avitoi_show_number(struct avitoi_show *s, const char *name, int64_t value)
{
    avitoi_show_name(s, name);
    avitoi_write_int(&s->w, value);
}

/* Leaves 0 out: a number that was missing was decoded to that. */
static void avitoi_show_int(struct avitoi_show *s, const char *name, int64_t value)
{
    if (value != 0) {
        avitoi_show_number(s, name, value);
    }
}

static void avitoi_show_bool(struct avitoi_show *s, const char *name, bool value)
{
    avitoi_show_name(s, name);
    avitoi_write_text(&s->w, value ? "true" : "false");
}

/* Writes units of 1e-7 degree as degrees: 557512000 is 55.7512. */
static void avitoi_show_degrees(struct avitoi_show *s, const char *name, int32_t e7)
{
    const uint32_t value = e7 < 0 ? 0u - (uint32_t)e7 : (uint32_t)e7;
    uint32_t part = value % 10000000u;
    char digits[7];
    size_t i, n = sizeof digits;
    avitoi_show_name(s, name);
    if (e7 < 0) {
        avitoi_write(&s->w, "-", 1);
    }
    avitoi_write_int(&s->w, value / 10000000u);
    for (i = n; i > 0; i--, part /= 10u) {
        digits[i - 1u] = (char)('0' + (int)(part % 10u));
    }
    for (; n > 0 && digits[n - 1u] == '0'; n--) {
    }
    if (n > 0) {
        avitoi_write(&s->w, ".", 1);
        avitoi_write(&s->w, digits, n);
    }
}

/* Leaves the place out if both are 0: then none was given. */
static void avitoi_show_place(struct avitoi_show *s, int32_t lat_e7, int32_t lon_e7)
{
    if (lat_e7 != 0 || lon_e7 != 0) {
        avitoi_show_degrees(s, AVITOI_SHOW_NAME(lat), lat_e7);
        avitoi_show_degrees(s, AVITOI_SHOW_NAME(lon), lon_e7);
    }
}

static void avitoi_show_open(struct avitoi_show *s, const char *name)
{
    if (name != NULL) {
        avitoi_show_name(s, name);
    }
    avitoi_write(&s->w, "{", 1);
    s->comma = false;
}

static void avitoi_show_close(struct avitoi_show *s)
{
    avitoi_write(&s->w, "}", 1);
    s->comma = true;
}

static void avitoi_show_sizes(struct avitoi_show *s, const char *name, avito_image_sizes sizes)
{
    size_t i;
    if (sizes.count == 0) {
        return;
    }
    avitoi_show_open(s, name);
    for (i = 0; i < sizes.count; i++) {
        avitoi_show_comma(s);
        avitoi_show_string(s, sizes.items[i].size);
        avitoi_write(&s->w, ":", 1);
        avitoi_show_string(s, sizes.items[i].url);
    }
    avitoi_show_close(s);
}

static void avitoi_show_link(struct avitoi_show *s, const avito_link *link)
{
    const avito_link_preview *preview = link->preview;
    avitoi_show_open(s, AVITOI_SHOW_NAME(link));
    avitoi_show_str(s, AVITOI_SHOW_NAME(text), link->text);
    avitoi_show_str(s, AVITOI_SHOW_NAME(url), link->url);
    if (preview != NULL) {
        avitoi_show_open(s, AVITOI_SHOW_NAME(preview));
        avitoi_show_str(s, AVITOI_SHOW_NAME(title), preview->title);
        avitoi_show_str(s, AVITOI_SHOW_NAME(description), preview->description);
        avitoi_show_str(s, AVITOI_SHOW_NAME(domain), preview->domain);
        avitoi_show_str(s, AVITOI_SHOW_NAME(url), preview->url);
        avitoi_show_sizes(s, AVITOI_SHOW_NAME(images), preview->images);
        avitoi_show_close(s);
    }
    avitoi_show_close(s);
}

static void avitoi_show_item(struct avitoi_show *s, const avito_item_content *item)
{
    avitoi_show_open(s, AVITOI_SHOW_NAME(item));
    avitoi_show_str(s, AVITOI_SHOW_NAME(title), item->title);
    avitoi_show_str(s, AVITOI_SHOW_NAME(item_url), item->item_url);
    avitoi_show_str(s, AVITOI_SHOW_NAME(image_url), item->image_url);
    avitoi_show_str(s, AVITOI_SHOW_NAME(price_string), item->price_string);
    avitoi_show_close(s);
}

static void avitoi_show_location(struct avitoi_show *s, const avito_location *location)
{
    avitoi_show_open(s, AVITOI_SHOW_NAME(location));
    avitoi_show_str(s, AVITOI_SHOW_NAME(kind), location->kind_word);
    avitoi_show_place(s, location->lat_e7, location->lon_e7);
    avitoi_show_str(s, AVITOI_SHOW_NAME(title), location->title);
    avitoi_show_str(s, AVITOI_SHOW_NAME(text), location->text);
    avitoi_show_close(s);
}

static void avitoi_show_call(struct avitoi_show *s, const avito_call *call)
{
    avitoi_show_open(s, AVITOI_SHOW_NAME(call));
    avitoi_show_str(s, AVITOI_SHOW_NAME(status), call->status_word);
    avitoi_show_int(s, AVITOI_SHOW_NAME(target_user_id), call->target_user_id);
    avitoi_show_close(s);
}

/* Writes JSON that was kept as it came, without control characters: they are only between its values. */
static void avitoi_show_raw(struct avitoi_show *s, const char *name, avito_str raw)
{
    size_t i, from = 0;
    avitoi_show_name(s, name);
    for (i = 0; i < raw.len; i++) {
        if (avitoi_text_byte(raw.ptr[i]) < ' ') {
            avitoi_write(&s->w, raw.ptr + from, i - from);
            from = i + 1u;
        }
    }
    avitoi_write(&s->w, raw.ptr + from, raw.len - from);
}

/* The content of a message or of a quote, in the service's form. */
static void avitoi_show_value(struct avitoi_show *s, const avito_content *c)
{
    if (c->kind == AVITO_MESSAGE_NONE && c->as.raw.len > 0) {
        avitoi_show_raw(s, AVITOI_SHOW_NAME(content), c->as.raw);
        return;
    }
    avitoi_show_open(s, AVITOI_SHOW_NAME(content));
    avitoi_show_str(s, AVITOI_SHOW_NAME(text), avitoi_schema_content_text(c));
    switch ((int)c->kind) {
        case AVITO_MESSAGE_SYSTEM:
            avitoi_show_str(s, AVITOI_SHOW_NAME(flow_id), c->as.system.flow_id);
            break;
        case AVITO_MESSAGE_IMAGE:
            avitoi_show_open(s, AVITOI_SHOW_NAME(image));
            avitoi_show_sizes(s, AVITOI_SHOW_NAME(sizes), c->as.image->sizes);
            avitoi_show_close(s);
            break;
        case AVITO_MESSAGE_LINK:
            avitoi_show_link(s, c->as.link);
            break;
        case AVITO_MESSAGE_ITEM:
            avitoi_show_item(s, c->as.item);
            break;
        case AVITO_MESSAGE_LOCATION:
            avitoi_show_location(s, c->as.location);
            break;
        case AVITO_MESSAGE_CALL:
            avitoi_show_call(s, c->as.call);
            break;
        case AVITO_MESSAGE_VOICE:
            avitoi_show_open(s, AVITOI_SHOW_NAME(voice));
            avitoi_show_str(s, AVITOI_SHOW_NAME(voice_id), c->as.voice->voice_id);
            avitoi_show_close(s);
            break;
        default:
            break;
    }
    avitoi_show_close(s);
}

static void avitoi_show_quote(struct avitoi_show *s, const avito_quote *quote)
{
    avitoi_show_open(s, AVITOI_SHOW_NAME(quote));
    avitoi_show_str(s, AVITOI_SHOW_NAME(id), quote->id);
    avitoi_show_number(s, AVITOI_SHOW_NAME(author_id), quote->author_id);
    avitoi_show_int(s, AVITOI_SHOW_NAME(created), quote->created);
    avitoi_show_str(s, AVITOI_SHOW_NAME(type), quote->type_word);
    avitoi_show_value(s, &quote->content);
    avitoi_show_close(s);
}

/* Members that only a notification has. `chat` gives its id to a message that has none. */
static void avitoi_show_notified(struct avitoi_show *s, const avito_message *m,
                                 const avito_chat *chat)
{
    const bool from_chat = m->chat_id.ptr == NULL && chat != NULL && !s->inside;
    avitoi_show_str(s, AVITOI_SHOW_NAME(chat_id), from_chat ? chat->id : m->chat_id);
    avitoi_show_int(s, AVITOI_SHOW_NAME(user_id), m->user_id);
    avitoi_show_str(s, AVITOI_SHOW_NAME(chat_type), m->chat_type_word);
    avitoi_show_int(s, AVITOI_SHOW_NAME(item_id), m->item_id);
    avitoi_show_str(s, AVITOI_SHOW_NAME(published_at), m->published_at);
}

/* What this library adds, in a member of its own. */
static void avitoi_show_ours(struct avitoi_show *s, const avito_message *m, const avito_chat *chat)
{
    const char *word = avito_message_class_word(avito_classify(m));
    size_t i;
    avitoi_show_open(s, AVITOI_SHOW_NAME(avito));
    avitoi_show_str(s, AVITOI_SHOW_NAME(class), avitoi_text_of(word));
    avitoi_show_bool(s, AVITOI_SHOW_NAME(is_own), m->is_own);
    avitoi_show_bool(s, AVITOI_SHOW_NAME(is_system), m->is_system);
    avitoi_show_bool(s, AVITOI_SHOW_NAME(is_placeholder), m->is_placeholder);
    avitoi_show_bool(s, AVITOI_SHOW_NAME(is_cut), m->is_cut);
    for (i = 0; chat != NULL && i < chat->users.count; i++) {
        if (chat->users.items[i].id == m->author_id) {
            avitoi_show_str(s, AVITOI_SHOW_NAME(author_name), chat->users.items[i].name);
            break;
        }
    }
    if (chat != NULL && chat->context != NULL && chat->context->item != NULL) {
        avitoi_show_str(s, AVITOI_SHOW_NAME(item_title), chat->context->item->title);
    }
    avitoi_show_close(s);
}

/* Every member that is known, in the service's order. What this library adds comes last. */
static void avitoi_show_message(struct avitoi_show *s, const avito_message *m,
                                const avito_chat *chat)
{
    avitoi_show_open(s, NULL);
    avitoi_show_str(s, AVITOI_SHOW_NAME(id), m->id);
    avitoi_show_number(s, AVITOI_SHOW_NAME(author_id), m->author_id);
    avitoi_show_int(s, AVITOI_SHOW_NAME(created), m->created);
    avitoi_show_str(s, AVITOI_SHOW_NAME(type), m->type_word);
    avitoi_show_str(s, AVITOI_SHOW_NAME(direction), m->direction_word);
    avitoi_show_value(s, &m->content);
    if (m->quote != NULL) {
        avitoi_show_quote(s, m->quote);
    }
    if (m->has_is_read) {
        avitoi_show_bool(s, AVITOI_SHOW_NAME(is_read), m->is_read);
    }
    avitoi_show_int(s, AVITOI_SHOW_NAME(read), m->read);
    avitoi_show_int(s, AVITOI_SHOW_NAME(delivered), m->delivered);
    avitoi_show_notified(s, m, chat);
    avitoi_show_ours(s, m, chat);
    avitoi_show_close(s);
}

/* ---- a chat ---- */

static void avitoi_show_profile(struct avitoi_show *s, const avito_profile *profile)
{
    avitoi_show_open(s, AVITOI_SHOW_NAME(public_user_profile));
    avitoi_show_int(s, AVITOI_SHOW_NAME(user_id), profile->user_id);
    avitoi_show_int(s, AVITOI_SHOW_NAME(item_id), profile->item_id);
    if (profile->avatar != NULL) {
        avitoi_show_open(s, AVITOI_SHOW_NAME(avatar));
        avitoi_show_str(s, AVITOI_SHOW_NAME(default), profile->avatar->default_url);
        avitoi_show_sizes(s, AVITOI_SHOW_NAME(images), profile->avatar->images);
        avitoi_show_close(s);
    }
    avitoi_show_str(s, AVITOI_SHOW_NAME(url), profile->url);
    avitoi_show_close(s);
}

/* Always an array: a chat without users has an empty one. */
static void avitoi_show_users(struct avitoi_show *s, const avito_users *users)
{
    size_t i;
    avitoi_show_name(s, AVITOI_SHOW_NAME(users));
    avitoi_write(&s->w, "[", 1);
    s->comma = false;
    for (i = 0; i < users->count; i++) {
        const avito_user *user = &users->items[i];
        avitoi_show_comma(s);
        avitoi_show_open(s, NULL);
        avitoi_show_number(s, AVITOI_SHOW_NAME(id), user->id);
        avitoi_show_str(s, AVITOI_SHOW_NAME(name), user->name);
        if (user->has_parsing_allowed) {
            avitoi_show_bool(s, AVITOI_SHOW_NAME(parsing_allowed), user->parsing_allowed);
        }
        if (user->public_user_profile != NULL) {
            avitoi_show_profile(s, user->public_user_profile);
        }
        avitoi_show_close(s);
    }
    avitoi_write(&s->w, "]", 1);
    s->comma = true;
}

/* The listing that a chat is about. It is the value of the chat's context. */
static void avitoi_show_listing(struct avitoi_show *s, const avito_item *item)
{
    avitoi_show_open(s, AVITOI_SHOW_NAME(value));
    avitoi_show_int(s, AVITOI_SHOW_NAME(id), item->id);
    avitoi_show_int(s, AVITOI_SHOW_NAME(user_id), item->user_id);
    avitoi_show_int(s, AVITOI_SHOW_NAME(status_id), item->status_id);
    avitoi_show_str(s, AVITOI_SHOW_NAME(title), item->title);
    avitoi_show_str(s, AVITOI_SHOW_NAME(price_string), item->price_string);
    avitoi_show_str(s, AVITOI_SHOW_NAME(url), item->url);
    if (item->images != NULL) {
        avitoi_show_open(s, AVITOI_SHOW_NAME(images));
        avitoi_show_sizes(s, AVITOI_SHOW_NAME(main), item->images->main);
        avitoi_show_int(s, AVITOI_SHOW_NAME(count), item->images->count);
        avitoi_show_close(s);
    }
    if (item->location != NULL) {
        avitoi_show_open(s, AVITOI_SHOW_NAME(location));
        avitoi_show_str(s, AVITOI_SHOW_NAME(title), item->location->title);
        avitoi_show_place(s, item->location->lat_e7, item->location->lon_e7);
        avitoi_show_close(s);
    }
    avitoi_show_close(s);
}

/* Every member that is known, in the order of the official description. */
static void avitoi_show_chat(struct avitoi_show *s, const avito_chat *chat, int64_t user_id)
{
    avitoi_show_open(s, NULL);
    avitoi_show_str(s, AVITOI_SHOW_NAME(id), chat->id);
    avitoi_show_int(s, AVITOI_SHOW_NAME(created), chat->created);
    avitoi_show_int(s, AVITOI_SHOW_NAME(updated), chat->updated);
    if (chat->context != NULL) {
        avitoi_show_open(s, AVITOI_SHOW_NAME(context));
        avitoi_show_str(s, AVITOI_SHOW_NAME(type), chat->context->type);
        if (chat->context->item != NULL) {
            avitoi_show_listing(s, chat->context->item);
        } else if (chat->context->raw.len > 0) {
            avitoi_show_raw(s, AVITOI_SHOW_NAME(value), chat->context->raw);
        }
        avitoi_show_close(s);
    }
    avitoi_show_users(s, &chat->users);
    if (chat->last_message != NULL) {
        avitoi_show_name(s, AVITOI_SHOW_NAME(last_message));
        s->inside = true;
        avitoi_show_message(s, chat->last_message, chat);
    }
    avitoi_show_open(s, AVITOI_SHOW_NAME(avito));
    avitoi_show_int(s, AVITOI_SHOW_NAME(user_id), user_id);
    avitoi_show_close(s);
    avitoi_show_close(s);
}

/* ---- into the caller's memory ---- */

/* AVITO_OK: there is a writer. ARGUMENT: there is none. */
static int avitoi_show_begin(struct avitoi_show *s, const void *model, char *out, size_t cap,
                             size_t *needed)
{
    memset(s, 0, sizeof *s);
    s->w.out = out;
    s->w.cap = cap;
    if (needed != NULL) {
        *needed = 0;
    }
    return model == NULL || (out == NULL && cap > 0) ? AVITO_ERR_ARGUMENT : AVITO_OK;
}

/* AVITO_OK: the line is whole. ROOM: the text is empty, and *needed says how much would do. */
static int avitoi_show_end(struct avitoi_show *s, size_t *needed)
{
    if (needed != NULL) {
        *needed = (size_t)s->w.total + 1u;
    }
    if (s->w.total < s->w.cap) {
        s->w.out[s->w.total] = '\0';
        return AVITO_OK;
    }
    if (s->w.cap > 0) {
        *s->w.out = '\0';
    }
    return AVITO_ERR_ROOM;
}

AVITO_API int avito_message_json(const avito_message *message, const avito_chat *chat, char *out,
                                 size_t cap, size_t *needed)
{
    struct avitoi_show s;
    const int rc = avitoi_show_begin(&s, message, out, cap, needed);
    if (rc != AVITO_OK) {
        return rc;
    }
    avitoi_show_message(&s, message, chat);
    return avitoi_show_end(&s, needed);
}

AVITO_API int avito_chat_json(const avito_chat *chat, int64_t user_id, char *out, size_t cap,
                              size_t *needed)
{
    struct avitoi_show s;
    const int rc = avitoi_show_begin(&s, chat, out, cap, needed);
    if (rc != AVITO_OK) {
        return rc;
    }
    avitoi_show_chat(&s, chat, user_id);
    return avitoi_show_end(&s, needed);
}

/* ======================================================================= *
 * >>85 POSIX
 * ======================================================================= *
 *
 * Clock, entropy and time of a POSIX system, as hooks for the options. Comes in: nothing. Goes out:
 * milliseconds, random bytes, unix seconds. May not keep state.
 */

#if AVITO_WITH_POSIX

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#if defined(ESP_PLATFORM)
#include <sys/poll.h> /* ESP-IDF has it only there */
#else
#include <poll.h>
#endif
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#if defined(__linux__)
#include <sys/ioctl.h>
#include <sys/random.h>
#endif

#if !defined(AI_NUMERICHOST) || !defined(CLOCK_MONOTONIC)
#error "AVITO_WITH_POSIX: define _POSIX_C_SOURCE=200809L before the first #include (-D_POSIX_C_SOURCE=200809L)"
#endif
#if !defined(MSG_NOSIGNAL) && !defined(SO_NOSIGPIPE)
#error "AVITO_WITH_POSIX: this system can keep SIGPIPE away neither per call nor per socket"
#endif

/* lwIP can be built without. */
#if !defined(AVITO_WITH_IPV6)
#if defined(LWIP_IPV6)
#define AVITO_WITH_IPV6 LWIP_IPV6
#elif defined(AF_INET6)
#define AVITO_WITH_IPV6 1
#else
#define AVITO_WITH_IPV6 0
#endif
#endif

enum {
    AVITOI_TCP_IDLE = 1,       /* 0: it was not initialised, or init failed */
    AVITOI_TCP_LOOKUP,     /* wait() is to look the name up */
    AVITOI_TCP_LOOKED_UP,
    AVITOI_TCP_RESOLVING,  /* the resolve hook said AVITO_AGAIN */
    AVITOI_TCP_READY,      /* there are addresses, no socket */
    AVITOI_TCP_CONNECTING,
    AVITOI_TCP_OPEN
};

/* 1: a single call can be told not to wait, so the socket of a lane that may wait is a waiting one. */
#if defined(MSG_DONTWAIT)
#define AVITOI_TCP_DONTWAIT MSG_DONTWAIT
#else
#define AVITOI_TCP_DONTWAIT 0
#endif
#if defined(MSG_MORE)
#define AVITOI_TCP_MORE MSG_MORE
#else
#define AVITOI_TCP_MORE 0
#endif
#define AVITOI_TCP_RESOLVE_MS 20    /* how often the resolve hook is asked again */
#define AVITOI_TCP_ALL_MS     15000 /* for the look-up and all addresses: what a lane grants by default */
#define AVITOI_TCP_NEXT_MS    4000  /* a silent address blocks the next ones no longer than this */
#define AVITOI_TCP_LEAST_MS   1000  /* and is given no less */

AVITO_API uint32_t avito_posix_clock_ms(void *ctx)
{
    struct timespec now;
    (void)ctx;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
        return 0;
    }
    return (uint32_t)((uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u);
}

AVITO_API int64_t avito_posix_unix_time(void *ctx)
{
    (void)ctx;
    return (int64_t)time(NULL);
}

/* Opens a file for reading; -1: errno says why. */
static int avitoi_posix_open(const char *path)
{
    int flags = O_RDONLY;
    int fd;
#ifdef O_CLOEXEC
    flags |= O_CLOEXEC; /* no gap for a fork() on another thread */
#endif
    do {
        fd = open(path, flags);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* Random bytes from /dev/urandom, however many reads it takes. */
static int avitoi_posix_urandom(unsigned char *out, size_t len)
{
    int fd = avitoi_posix_open("/dev/urandom");
    if (fd < 0) {
        return AVITO_ERR_OPTION_ENTROPY;
    }
    while (len > 0) {
        ssize_t n = read(fd, out, len);
        if (n <= 0 && !(n < 0 && errno == EINTR)) {
            break;
        }
        if (n > 0) {
            out += n;
            len -= (size_t)n;
        }
    }
    (void)close(fd);
    return len == 0 ? AVITO_OK : AVITO_ERR_OPTION_ENTROPY;
}

AVITO_API int avito_posix_entropy(void *ctx, void *out, size_t len)
{
    unsigned char *bytes = (unsigned char *)out;
    (void)ctx;
    if (out == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
#if defined(__linux__)
    while (len > 0) {
        ssize_t n = getrandom(bytes, len, 0);
        if (n < 0 && errno != EINTR) {
            break; /* an old kernel: only the device is left */
        }
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
    }
#endif
    return len == 0 ? AVITO_OK : avitoi_posix_urandom(bytes, len);
}

/* ======================================================================= *
 * >>86 TCP
 * ======================================================================= *
 *
 * A transport over POSIX sockets: look-up, connecting one address after the other, bytes. Comes in: a
 * host and a port. Goes out: what the table of a transport (>>6) asks for. May not wait, except in
 * wait().
 */

/* ---- addresses ---- */

static bool avitoi_tcp_numeric(const char *text, avito_tcp_address *out)
{
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, out->bytes) == 1) {
        out->size = 4;
    }
#if AVITO_WITH_IPV6
    if (out->size == 0 && inet_pton(AF_INET6, text, out->bytes) == 1) {
        out->size = 16;
    }
#endif
    return out->size != 0;
}

/* An address of getaddrinfo() as ours. False: it is of another family. */
static bool avitoi_tcp_from_sockaddr(const struct addrinfo *info, avito_tcp_address *out)
{
    memset(out, 0, sizeof *out);
    if (info->ai_family == AF_INET && info->ai_addrlen >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in in4;
        memcpy(&in4, info->ai_addr, sizeof in4);
        memcpy(out->bytes, &in4.sin_addr, 4);
        out->size = 4;
    }
#if AVITO_WITH_IPV6
    if (info->ai_family == AF_INET6 && info->ai_addrlen >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 in6;
        memcpy(&in6, info->ai_addr, sizeof in6);
        memcpy(out->bytes, &in6.sin6_addr, 16);
        out->size = 16;
        out->scope = in6.sin6_scope_id;
    }
#endif
    return out->size != 0;
}

/* Adds an address. If there are too many, the last place is kept for the other family: all of one may
 * lead nowhere. */
static void avitoi_tcp_add(avito_tcp *tcp, const avito_tcp_address *found)
{
    avito_tcp_address *last = &tcp->priv.addresses[AVITO_TCP_ADDRESSES - 1];
    if (tcp->priv.count < AVITO_TCP_ADDRESSES) {
        tcp->priv.addresses[tcp->priv.count++] = *found;
    } else if (last->size == tcp->priv.addresses[0].size && last->size != found->size) {
        *last = *found;
    }
}

/* The only call here that may wait without a limit of ours. */
static void avitoi_tcp_getaddrinfo(avito_tcp *tcp)
{
    struct addrinfo hints;
    struct addrinfo *list = NULL;
    struct addrinfo *info;
    avito_tcp_address found;
    int rc;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    rc = getaddrinfo(tcp->priv.host, NULL, &hints, &list);
    tcp->priv.count = 0;
    if (rc != 0 && strcmp(tcp->priv.host, "localhost") == 0) { /* RFC 6761: needs no hosts file */
        tcp->priv.count = 2;
        (void)avitoi_tcp_numeric("127.0.0.1", &tcp->priv.addresses[0]);
        (void)avitoi_tcp_numeric("::1", &tcp->priv.addresses[1]);
    }
    for (info = rc == 0 ? list : NULL; info != NULL; info = info->ai_next) {
        if (avitoi_tcp_from_sockaddr(info, &found)) {
            avitoi_tcp_add(tcp, &found);
        }
    }
    if (rc == 0) {
        freeaddrinfo(list);
    }
    tcp->priv.error = rc;
    tcp->priv.state = AVITOI_TCP_LOOKED_UP;
}

/* Asks .resolve for addresses. AVITO_AGAIN: it has none yet. */
static int avitoi_tcp_ask_hook(avito_tcp *tcp, const char *host)
{
    size_t count = 0;
    int rc = tcp->o.resolve(tcp->o.ctx, host, tcp->priv.addresses, AVITO_TCP_ADDRESSES, &count);
    if (rc == AVITO_AGAIN) {
        tcp->priv.state = AVITOI_TCP_RESOLVING;
        tcp->priv.wants = AVITO_WANT_TIMER;
        return AVITO_AGAIN;
    }
    if (rc != AVITO_OK) {
        return rc < 0 ? rc : AVITO_ERR_RESOLVE;
    }
    if (count == 0 || count > AVITO_TCP_ADDRESSES) {
        return AVITO_ERR_RESOLVE;
    }
    tcp->priv.count = (uint8_t)count;
    tcp->priv.state = AVITOI_TCP_READY;
    return AVITO_OK;
}

/* Finds the addresses, up to the state AVITOI_TCP_READY. A name without a hook is looked up by wait(). A
 * lane that connects again without having waited may not wait: it gets an error. */
static int avitoi_tcp_find(avito_tcp *tcp, const avito_server *to)
{
    const char *host = tcp->o.address != NULL ? tcp->o.address : to->host;
    switch ((int)tcp->priv.state) {
        case AVITOI_TCP_IDLE:
            tcp->priv.next = 0;
            tcp->priv.error = 0;
            tcp->priv.left_ms = AVITOI_TCP_ALL_MS;
            tcp->priv.started_ms = avito_posix_clock_ms(NULL);
            if (avitoi_tcp_numeric(host, &tcp->priv.addresses[0])) {
                tcp->priv.count = 1;
                tcp->priv.state = AVITOI_TCP_READY;
                return AVITO_OK;
            }
            if (tcp->o.resolve != NULL) {
                return avitoi_tcp_ask_hook(tcp, host);
            }
            tcp->priv.host = host;
            tcp->priv.state = AVITOI_TCP_LOOKUP;
            tcp->priv.wants = AVITO_WANT_TIMER;
            return AVITO_AGAIN;
        case AVITOI_TCP_LOOKUP:
            return AVITO_ERR_OPTION_RESOLVE;
        case AVITOI_TCP_RESOLVING:
            return avitoi_tcp_ask_hook(tcp, host);
        default: /* AVITOI_TCP_LOOKED_UP */
            if (tcp->priv.count == 0) {
                return AVITO_ERR_RESOLVE;
            }
            tcp->priv.state = AVITOI_TCP_READY;
            return AVITO_OK;
    }
}

/* ---- connecting ---- */

static void avitoi_tcp_drop(avito_tcp *tcp)
{
    if (tcp->priv.fd >= 0) {
        (void)close(tcp->priv.fd);
        tcp->priv.fd = -1;
    }
}

/* Sets the options that a socket must have, and two that it had better have (CLOEXEC, NODELAY). */
static bool avitoi_tcp_prepare(int fd)
{
    int on = 1;
    int flags = fcntl(fd, F_GETFL, 0);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        return false;
    }
#ifdef FD_CLOEXEC
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC); /* where there is no exec() there may be no such flag */
#endif
#ifndef MSG_NOSIGNAL
    if (setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on) != 0) {
        return false;
    }
#endif
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return true;
}

#if AVITO_WITH_IPV6
static int avitoi_tcp_dial6(int fd, const avito_tcp_address *to, uint16_t port)
{
    struct sockaddr_in6 in6;
    memset(&in6, 0, sizeof in6);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port);
    in6.sin6_scope_id = to->scope;
    memcpy(&in6.sin6_addr, to->bytes, 16);
    return connect(fd, (const struct sockaddr *)(const void *)&in6, (socklen_t)sizeof in6);
}
#endif

static int avitoi_tcp_dial(int fd, const avito_tcp_address *to, uint16_t port)
{
    struct sockaddr_in in4;
#if AVITO_WITH_IPV6
    if (to->size != 4) {
        return avitoi_tcp_dial6(fd, to, port);
    }
#endif
    memset(&in4, 0, sizeof in4);
    in4.sin_family = AF_INET;
    in4.sin_port = htons(port);
    memcpy(&in4.sin_addr, to->bytes, 4);
    return connect(fd, (const struct sockaddr *)(const void *)&in4, (socklen_t)sizeof in4);
}

/* AF_UNSPEC: an address of a size that no family here has. */
static int avitoi_tcp_family(const avito_tcp_address *address)
{
#if AVITO_WITH_IPV6
    if (address->size == 16) {
        return AF_INET6;
    }
#endif
    return address->size == 4 ? AF_INET : AF_UNSPEC;
}

static int avitoi_tcp_socket(int family)
{
    int kind = SOCK_STREAM;
#ifdef SOCK_CLOEXEC
    kind |= SOCK_CLOEXEC; /* no gap for a fork() on another thread */
#endif
    errno = EAFNOSUPPORT;
    return family == AF_UNSPEC ? -1 : socket(family, kind, 0);
}

/* Starts on the next address. False: this one failed at once. */
static bool avitoi_tcp_try_next(avito_tcp *tcp, uint16_t port)
{
    const avito_tcp_address *to = &tcp->priv.addresses[tcp->priv.next++];
    const uint32_t now = avito_posix_clock_ms(NULL);
    tcp->priv.left_ms =
        (uint16_t)avitoi_number_minus(tcp->priv.left_ms, now - tcp->priv.started_ms);
    tcp->priv.started_ms = now;
    tcp->priv.fd = avitoi_tcp_socket(avitoi_tcp_family(to));
    if (tcp->priv.fd < 0 || !avitoi_tcp_prepare(tcp->priv.fd)) {
        tcp->priv.error = errno;
        avitoi_tcp_drop(tcp);
        return false;
    }
    if (avitoi_tcp_dial(tcp->priv.fd, to, port) != 0 && errno != EINPROGRESS && errno != EINTR) {
        tcp->priv.error = errno;
        avitoi_tcp_drop(tcp);
        return false;
    }
    tcp->priv.state = AVITOI_TCP_CONNECTING;
    tcp->priv.wants = AVITO_WANT_WRITE;
    if (tcp->priv.next < tcp->priv.count) {
        tcp->priv.wants |= AVITO_WANT_TIMER; /* until it is the next address's turn */
    }
    return true;
}

/* Has this address had its share of the time? The last one has what the lane grants. */
static bool avitoi_tcp_is_over(const avito_tcp *tcp)
{
    const uint32_t others = (uint32_t)(tcp->priv.count - tcp->priv.next);
    const uint32_t waited = avito_posix_clock_ms(NULL) - tcp->priv.started_ms;
    const uint32_t share = tcp->priv.left_ms / (others + 1u);
    return others > 0 && waited >= AVITOI_TCP_LEAST_MS &&
           (waited >= share || waited >= AVITOI_TCP_NEXT_MS);
}

/* AVITO_OK: connected. AVITO_AGAIN: no answer yet. AVITO_ERR_CONNECT: this address failed. */
static int avitoi_tcp_check(avito_tcp *tcp)
{
    struct pollfd one;
    int error = 0;
    socklen_t len = (socklen_t)sizeof error;
    one.fd = tcp->priv.fd;
    one.events = POLLOUT;
    if (poll(&one, 1, 0) <= 0) {
        if (!avitoi_tcp_is_over(tcp)) {
            return AVITO_AGAIN;
        }
        error = ETIMEDOUT;
    } else if (getsockopt(tcp->priv.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        error = errno;
    }
    if (error == 0) {
        return AVITO_OK;
    }
    tcp->priv.error = error;
    avitoi_tcp_drop(tcp);
    tcp->priv.state = AVITOI_TCP_READY;
    return AVITO_ERR_CONNECT;
}

/* Connected. From here on each call says whether it waits, where the system allows that. */
static void avitoi_tcp_opened(avito_tcp *tcp)
{
    int flags = fcntl(tcp->priv.fd, F_GETFL, 0);
    tcp->priv.error = 0; /* of the addresses before it */
    tcp->priv.state = AVITOI_TCP_OPEN;
    tcp->priv.wants = 0;
    tcp->priv.recv_ms = 0;
    tcp->priv.timeout_ms = 0;
    tcp->priv.too_early = false;
    tcp->priv.may_block = AVITOI_TCP_DONTWAIT != 0 && !tcp->o.never_wait && flags >= 0 &&
                          fcntl(tcp->priv.fd, F_SETFL, flags & ~O_NONBLOCK) == 0;
}

/* The transport's connect(): first the addresses, then one after the other until a server accepts. */
static int avitoi_tcp_connect(void *ctx, const avito_server *to)
{
    avito_tcp *tcp = (avito_tcp *)ctx;
    if (tcp->priv.state < AVITOI_TCP_READY) {
        int rc = avitoi_tcp_find(tcp, to);
        if (rc != AVITO_OK) {
            return rc;
        }
    }
    while (tcp->priv.state != AVITOI_TCP_OPEN) {
        int rc;
        if (tcp->priv.state == AVITOI_TCP_READY) {
            if (tcp->priv.next >= tcp->priv.count) {
                return AVITO_ERR_CONNECT;
            }
            if (!avitoi_tcp_try_next(tcp, to->port)) {
                continue;
            }
        }
        rc = avitoi_tcp_check(tcp);
        if (rc == AVITO_AGAIN) {
            return AVITO_AGAIN;
        }
        if (rc == AVITO_OK) {
            avitoi_tcp_opened(tcp);
        }
    }
    return AVITO_OK;
}

/* ---- moving bytes ---- */

/* wants() is what the last send and the last recv could not do: both, if the lane alternates. */
static long avitoi_tcp_blocked(avito_tcp *tcp, int want, bool sending)
{
    tcp->priv.wants = tcp->priv.sent_last == sending ? want : tcp->priv.wants | want;
    tcp->priv.sent_last = sending;
    return AVITO_IO_AGAIN;
}

/* The transport's send(): whatever the socket takes at once. `more` keeps it from sending a small packet. */
static long avitoi_tcp_send(void *ctx, const void *data, size_t len, int more)
{
    avito_tcp *tcp = (avito_tcp *)ctx;
    int flags = AVITOI_TCP_DONTWAIT;
    ssize_t n;
#ifdef MSG_NOSIGNAL
    flags |= MSG_NOSIGNAL;
#endif
    flags |= more ? AVITOI_TCP_MORE : 0;
    if (tcp->priv.state != AVITOI_TCP_OPEN) {
        return AVITO_ERR_SEND;
    }
    if (len > INT_MAX) {
        len = INT_MAX;
    }
    tcp->priv.recv_ms = 0;
    do {
        n = send(tcp->priv.fd, data, len, flags);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        tcp->priv.wants &= ~AVITO_WANT_WRITE;
        tcp->priv.moved += (uint32_t)n;
        tcp->priv.sent_last = true;
        tcp->priv.too_early = !more && (size_t)n == len;
        return (long)n;
    }
    if (n == 0 || errno == EAGAIN || errno == EWOULDBLOCK) {
        return avitoi_tcp_blocked(tcp, AVITO_WANT_WRITE, true);
    }
    tcp->priv.error = errno;
    return AVITO_ERR_SEND;
}

/* Lets the next recv wait for about `ms`, rather less: rounded down to few values, so that the
 * socket's own timeout seldom has to change. False: it cannot. */
static bool avitoi_tcp_let_recv_wait(avito_tcp *tcp, uint32_t ms)
{
    struct timeval time;
    uint32_t shift = 0;
    if (!tcp->priv.may_block || ms == 0) {
        return false;
    }
    if (ms < tcp->priv.timeout_ms || ms - tcp->priv.timeout_ms > ms / 3u) {
        while (ms >> shift > 3u) {
            shift++;
        }
        ms = ms >> shift << shift;
        memset(&time, 0, sizeof time);
        time.tv_sec = (time_t)(ms / 1000u);
        time.tv_usec = (suseconds_t)(ms % 1000u * 1000u);
        if (setsockopt(tcp->priv.fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) != 0) {
            return false;
        }
        tcp->priv.timeout_ms = ms;
    }
    tcp->priv.recv_ms = tcp->priv.timeout_ms;
    return true;
}

/* The transport's recv(). On a lane that may wait, the socket itself waits, for recv_ms at most: that saves
 * a poll(). */
static long avitoi_tcp_recv(void *ctx, void *data, size_t cap)
{
    avito_tcp *tcp = (avito_tcp *)ctx;
    bool waits = tcp->priv.recv_ms > 0;
    ssize_t n;
    if (tcp->priv.state != AVITOI_TCP_OPEN) {
        return AVITO_ERR_RECV;
    }
    if (cap > INT_MAX) {
        cap = INT_MAX;
    }
    if (cap == 0) {
        return AVITO_IO_AGAIN; /* 0 from recv() would look like the end */
    }
    tcp->priv.recv_ms = 0;
    if (tcp->priv.too_early && !waits) {
        tcp->priv.too_early = false;
        return avitoi_tcp_blocked(tcp, AVITO_WANT_READ, false);
    }
    tcp->priv.too_early = false;
    do {
        n = recv(tcp->priv.fd, data, cap, waits ? 0 : AVITOI_TCP_DONTWAIT);
    } while (n < 0 && errno == EINTR && !waits); /* a signal ends the waiting */
    if (n > 0) {
        tcp->priv.wants &= ~AVITO_WANT_READ;
        tcp->priv.moved += (uint32_t)n;
        tcp->priv.sent_last = false;
        return (long)n;
    }
    if (n == 0) {
        return AVITO_IO_CLOSED;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        return avitoi_tcp_blocked(tcp, AVITO_WANT_READ, false);
    }
    tcp->priv.error = errno;
    return AVITO_ERR_RECV;
}

static int avitoi_tcp_wants(void *ctx)
{
    const avito_tcp *tcp = (const avito_tcp *)ctx;
    if (tcp->priv.state == AVITOI_TCP_OPEN && tcp->priv.wants == 0) {
        return AVITO_WANT_READ;
    }
    return tcp->priv.wants;
}

/* How long may poll() wait? Until the hook is asked again, or it is the next address's turn. */
static int avitoi_tcp_poll_ms(const avito_tcp *tcp, uint32_t ms)
{
    uint32_t most = INT_MAX;
    if (tcp->priv.state == AVITOI_TCP_RESOLVING) {
        most = AVITOI_TCP_RESOLVE_MS;
    } else if (tcp->priv.state == AVITOI_TCP_CONNECTING) {
        most = AVITOI_TCP_NEXT_MS;
    }
    return (int)(ms < most ? ms : most);
}

/* What poll() is to wait for; it skips an fd of -1. */
static struct pollfd avitoi_tcp_awaited(const avito_tcp *tcp, int wants)
{
    struct pollfd one;
    one.events =
        (short)((wants & AVITO_WANT_READ ? POLLIN : 0) | (wants & AVITO_WANT_WRITE ? POLLOUT : 0));
    one.revents = 0;
    one.fd = one.events != 0 ? tcp->priv.fd : -1; /* else a hang-up would end every wait at once */
    if (wants == AVITO_WANT_TIMER && tcp->o.wake_fd > 0) { /* the inbox naps */
        one.fd = tcp->o.wake_fd;
        one.events = POLLIN;
    }
    return one;
}

/* AVITO_OK: something may have happened. AVITO_AGAIN: the time is over, or a signal came. */
static int avitoi_tcp_wait(void *ctx, int wants, uint32_t ms)
{
    avito_tcp *tcp = (avito_tcp *)ctx;
    struct pollfd one;
    int rc;
    if (tcp->priv.state == AVITOI_TCP_LOOKUP) {
        avitoi_tcp_getaddrinfo(tcp);
        return AVITO_OK;
    }
    if (tcp->priv.state == AVITOI_TCP_OPEN && wants == AVITO_WANT_READ &&
        avitoi_tcp_let_recv_wait(tcp, ms)) {
        return AVITO_OK;
    }
    one = avitoi_tcp_awaited(tcp, wants);
    rc = poll(&one, 1, avitoi_tcp_poll_ms(tcp, ms));
    if (rc < 0 && errno != EINTR) {
        tcp->priv.error = errno;
        return AVITO_ERR_RECV;
    }
    return rc > 0 ? AVITO_OK : AVITO_AGAIN;
}

static void avitoi_tcp_close(void *ctx)
{
    avito_tcp *tcp = (avito_tcp *)ctx;
    avitoi_tcp_drop(tcp);
    tcp->priv.unreached = tcp->priv.state != AVITOI_TCP_OPEN;
    tcp->priv.state = AVITOI_TCP_IDLE;
    tcp->priv.wants = 0;
    tcp->priv.count = 0;
}

static int avitoi_tcp_detail(void *ctx)
{
    return ((const avito_tcp *)ctx)->priv.error;
}

/* What the socket still holds has not moved yet: it leaves when the peer acknowledges it. */
static uint32_t avitoi_tcp_moved(void *ctx)
{
    const avito_tcp *tcp = (const avito_tcp *)ctx;
    int held = 0;
#if defined(__linux__) && defined(TIOCOUTQ) /* SIOCOUTQ by its other name */
    if (tcp->priv.state != AVITOI_TCP_OPEN || ioctl(tcp->priv.fd, TIOCOUTQ, &held) != 0) {
        held = 0;
    }
#elif defined(SO_NWRITE)
    socklen_t len = (socklen_t)sizeof held;
    if (tcp->priv.state != AVITOI_TCP_OPEN ||
        getsockopt(tcp->priv.fd, SOL_SOCKET, SO_NWRITE, &held, &len) != 0) {
        held = 0;
    }
#endif
    return tcp->priv.moved - (uint32_t)held;
}

static const avito_transport_functions avitoi_tcp_functions = {
    avitoi_tcp_connect, avitoi_tcp_send,  avitoi_tcp_recv,  avitoi_tcp_wants,
    avitoi_tcp_wait,    avitoi_tcp_close, avitoi_tcp_detail, avitoi_tcp_moved};
static const avito_transport_functions avitoi_tcp_functions_never_wait = {
    avitoi_tcp_connect, avitoi_tcp_send,  avitoi_tcp_recv,   avitoi_tcp_wants,
    NULL,               avitoi_tcp_close, avitoi_tcp_detail, avitoi_tcp_moved};

AVITO_API avito_tcp_options avito_tcp_options_default(void)
{
    avito_tcp_options options;
    memset(&options, 0, sizeof options);
    return options;
}

AVITO_API int avito_tcp_init(avito_tcp *tcp, const avito_tcp_options *options)
{
    avito_tcp_address address;
    if (tcp == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    memset(tcp, 0, sizeof *tcp);
    tcp->priv.fd = -1;
    tcp->o = options != NULL ? *options : avito_tcp_options_default();
    if (tcp->o.address != NULL && !avitoi_tcp_numeric(tcp->o.address, &address)) {
        return AVITO_ERR_ARGUMENT;
    }
    if (tcp->o.never_wait && tcp->o.address == NULL && tcp->o.resolve == NULL) {
        return AVITO_ERR_OPTION_RESOLVE;
    }
    tcp->priv.state = AVITOI_TCP_IDLE;
    return AVITO_OK;
}

AVITO_API avito_transport avito_tcp_transport(avito_tcp *tcp)
{
    avito_transport transport = {NULL, NULL};
    if (tcp != NULL && tcp->priv.state != 0) {
        transport.functions =
            tcp->o.never_wait ? &avitoi_tcp_functions_never_wait : &avitoi_tcp_functions;
        transport.ctx = tcp;
    }
    return transport;
}

AVITO_API int avito_tcp_fd(const avito_tcp *tcp)
{
    return tcp != NULL && tcp->priv.state != 0 ? tcp->priv.fd : -1;
}

#endif /* AVITO_WITH_POSIX */

/* ======================================================================= *
 * >>87 TLS: CERTIFICATES
 * ======================================================================= *
 *
 * The certificates that a server shows, checked as they stream in, beside BearSSL's own check: what
 * BearSSL leaves out is refused here. Comes in: bytes of DER. Goes out: BearSSL's error, or none. May not
 * hold a certificate.
 */

#if AVITO_WITH_BEARSSL

/* 1: avito_tls_profile() is not referred to, so it takes no flash; .configure is required. */
#ifndef AVITO_TLS_OWN_PROFILE
#define AVITO_TLS_OWN_PROFILE 0
#endif

#if AVITO_WITH_POSIX
#include <fcntl.h>
#include <unistd.h>
#endif

/* ---- certificates: what BearSSL does not look at ----
 *
 * A class of BearSSL's that sits in front of its x509_minimal and reads the same bytes as they come:
 * a walk over the DER with one end per open element, no recursion, nothing kept but a few flags.
 *
 *     depth 1 certificate, 2 to-be-signed, 3 version | extensions' wrapper, 4 extensions,
 *     5 one extension, 6 its value, 7 the elements in it
 */

enum { AVITOI_CERT_TAG, AVITOI_CERT_LEN, AVITOI_CERT_LEN_MORE, AVITOI_CERT_SKIP, AVITOI_CERT_HOLD };
enum { AVITOI_CERT_EXT_OTHER, AVITOI_CERT_EXT_NAMES, AVITOI_CERT_EXT_USAGE, AVITOI_CERT_EXT_BASIC };
enum { /* avitoi_cert.found */
    AVITOI_CERT_FOUND_VERSION = 1,
    AVITOI_CERT_FOUND_EXTENSIONS = 2,
    AVITOI_CERT_FOUND_NAME = 4,
    AVITOI_CERT_FOUND_USAGE = 8,
    AVITOI_CERT_FOUND_SERVER = 16
};

#define AVITOI_CERT_CHAIN_MAX 8
#define AVITOI_CERT_OID_MAX        64u

static void avitoi_cert_fail(avitoi_cert *c, int why)
{
    if (c->failure == 0) {
        c->failure = (uint16_t)why;
    }
}

/* An element ended at c->pos: so did each open one that ends there. */
static void avitoi_cert_up(avitoi_cert *c)
{
    c->step = AVITOI_CERT_TAG;
    while (c->depth > 0 && c->pos == c->end[c->depth]) {
        c->depth--;
    }
}

static void avitoi_cert_enter(avitoi_cert *c, uint32_t len)
{
    c->depth++;
    c->end[c->depth] = c->pos + len;
    avitoi_cert_up(c);
}

/* Skips or holds the element's content; both may be empty. */
static void avitoi_cert_take(avitoi_cert *c, uint32_t len, int step)
{
    c->need = len;
    c->held_len = 0;
    c->hash = 2166136261u; /* FNV-1a */
    c->step = (uint8_t)step;
    if (len == 0) {
        avitoi_cert_up(c);
    }
}

/* The name of an extension has come: which one is it, and was it there before? */
static void avitoi_cert_extension(avitoi_cert *c)
{
    uint8_t i;
    for (i = 0; i < c->seen_len; i++) {
        if (c->seen[i] == c->hash) {
            avitoi_cert_fail(c, AVITO_TLS_CERT_REPEATED);
        }
    }
    if (c->seen_len == sizeof c->seen / sizeof c->seen[0]) {
        avitoi_cert_fail(c, AVITO_TLS_CERT_REPEATED);
        return;
    }
    c->seen[c->seen_len++] = c->hash;
    c->extension = AVITOI_CERT_EXT_OTHER;
    if (c->held_len != 3 || c->held[0] != 0x55 || c->held[1] != 0x1d) {
        return;
    }
    switch ((int)c->held[2]) {
        case 17:
            c->extension = AVITOI_CERT_EXT_NAMES;
            break;
        case 19:
            c->extension = AVITOI_CERT_EXT_BASIC;
            break;
        case 30:
            avitoi_cert_fail(c, AVITO_TLS_CERT_CONSTRAINTS);
            break;
        case 37:
            c->extension = AVITOI_CERT_EXT_USAGE;
            c->found |= AVITOI_CERT_FOUND_USAGE;
            break;
        default:
            break;
    }
}

/* Content that was asked for is in c->held. */
static void avitoi_cert_held(avitoi_cert *c)
{
    static const uint8_t server[8] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01};
    if (c->depth == 3) {
        c->found |= AVITOI_CERT_FOUND_VERSION;
        if (c->held[0] != 2) {
            avitoi_cert_fail(c, AVITO_TLS_CERT_VERSION);
        }
    } else if (c->depth == 5) {
        avitoi_cert_extension(c);
    } else if (c->extension == AVITOI_CERT_EXT_USAGE) {
        if (c->held_len == sizeof server && memcmp(c->held, server, sizeof server) == 0) {
            c->found |= AVITOI_CERT_FOUND_SERVER;
        }
    } else if (c->certs == 0 && c->held[0] != 0) { /* basic constraints: cA */
        avitoi_cert_fail(c, AVITO_TLS_CERT_CA);
    }
}

/* One of SEQUENCE { name, critical BOOLEAN OPTIONAL, value OCTET STRING }. */
static void avitoi_cert_in_extension(avitoi_cert *c, uint32_t len)
{
    if (c->tag == 0x06 && c->part == 0 && len > 0 && len <= AVITOI_CERT_OID_MAX) {
        c->part = 1;
        avitoi_cert_take(c, len, AVITOI_CERT_HOLD);
    } else if (c->tag == 0x01 && c->part == 1 && len == 1) {
        c->part = 2;
        avitoi_cert_take(c, len, AVITOI_CERT_SKIP);
    } else if (c->tag == 0x04 && (c->part == 1 || c->part == 2)) {
        c->part = 3;
        if (c->extension == AVITOI_CERT_EXT_OTHER) {
            avitoi_cert_take(c, len, AVITOI_CERT_SKIP);
        } else if (len > 0) {
            avitoi_cert_enter(c, len);
        } else {
            avitoi_cert_fail(c, AVITO_TLS_CERT_DER);
        }
    } else {
        avitoi_cert_fail(c, AVITO_TLS_CERT_DER);
    }
}

/* An element inside the value of an extension that matters. */
static void avitoi_cert_in_value(avitoi_cert *c, uint32_t len)
{
    int step = AVITOI_CERT_SKIP;
    if (c->extension == AVITOI_CERT_EXT_NAMES) {
        if (c->tag == 0x82 && len > 0) {
            c->found |= AVITOI_CERT_FOUND_NAME;
        } else if ((c->tag & 0xc0u) != 0x80u || (c->tag & 0x1fu) > 8) {
            avitoi_cert_fail(c, AVITO_TLS_CERT_DER);
        }
    } else if (c->extension == AVITOI_CERT_EXT_USAGE) {
        step = AVITOI_CERT_HOLD;
        if (c->tag != 0x06 || len == 0 || len > AVITOI_CERT_OID_MAX) {
            avitoi_cert_fail(c, AVITO_TLS_CERT_DER);
        }
    } else if (c->tag == 0x01) { /* basic constraints: cA, then perhaps the length of the path */
        step = AVITOI_CERT_HOLD;
        if (len != 1) {
            avitoi_cert_fail(c, AVITO_TLS_CERT_DER);
        }
    }
    avitoi_cert_take(c, len, step);
}

/* An element of the to-be-signed part. The version comes first, the extensions as [3]. */
static void avitoi_cert_in_signed(avitoi_cert *c, uint32_t len)
{
    bool first = c->field == 0;
    c->field = (uint8_t)(c->field < 255 ? c->field + 1 : 255);
    if (first && c->tag != 0xa0) {
        avitoi_cert_fail(c, AVITO_TLS_CERT_VERSION); /* v1: the version is left out */
    } else if (first || (c->tag == 0xa3 && (c->found & AVITOI_CERT_FOUND_EXTENSIONS) == 0)) {
        c->found |= first ? 0 : AVITOI_CERT_FOUND_EXTENSIONS;
        avitoi_cert_enter(c, len);
    } else if (c->tag == 0xa3) {
        avitoi_cert_fail(c, AVITO_TLS_CERT_REPEATED);
    } else {
        avitoi_cert_take(c, len, AVITOI_CERT_SKIP);
    }
}

/* Tag and length of an element are known, its content begins at c->pos. */
static void avitoi_cert_element(avitoi_cert *c, uint32_t len)
{
    bool sequence = c->tag == 0x30 && len > 0;
    if (len > c->end[c->depth] - c->pos) {
        avitoi_cert_fail(c, AVITO_TLS_CERT_DER);
        return;
    }
    switch ((int)c->depth) {
        case 1:
            if (c->field != 0) { /* algorithm and signature, after the signed part */
                avitoi_cert_take(c, len, AVITOI_CERT_SKIP);
                return;
            }
            break;
        case 2:
            avitoi_cert_in_signed(c, len);
            return;
        case 3:
            if ((c->found & AVITOI_CERT_FOUND_EXTENSIONS) == 0) {
                sequence = false;
                if (c->tag == 0x02 && len == 1) {
                    avitoi_cert_take(c, len, AVITOI_CERT_HOLD);
                    return;
                }
            }
            break;
        case 4:
            c->part = 0;
            break;
        case 5:
            avitoi_cert_in_extension(c, len);
            return;
        case 6:
            sequence = c->tag == 0x30;
            break;
        case 7:
            avitoi_cert_in_value(c, len);
            return;
        default: /* 0: the certificate, all of it */
            break;
    }
    /* The certificate and an extension's value each are one element with nothing after it. */
    if (!sequence || ((c->depth == 0 || c->depth == 6) && len != c->end[c->depth] - c->pos)) {
        avitoi_cert_fail(c, AVITO_TLS_CERT_DER);
        return;
    }
    avitoi_cert_enter(c, len);
}

/* One byte of a tag or a length. Lengths are minimal, as DER wants them, and below 2^24. */
static void avitoi_cert_header(avitoi_cert *c, uint8_t byte)
{
    switch ((int)c->step) {
        case AVITOI_CERT_TAG:
            if ((byte & 0x1fu) == 0x1fu) {
                avitoi_cert_fail(c, AVITO_TLS_CERT_DER);
            }
            c->tag = byte;
            c->step = AVITOI_CERT_LEN;
            return;
        case AVITOI_CERT_LEN:
            if (byte < 0x80u) {
                avitoi_cert_element(c, byte);
                return;
            }
            c->len_bytes = (uint8_t)(byte & 0x7fu);
            c->need = 0;
            c->step = AVITOI_CERT_LEN_MORE;
            if (c->len_bytes == 0 || c->len_bytes > 3) {
                avitoi_cert_fail(c, AVITO_TLS_CERT_DER);
            }
            return;
        default:
            if (c->need == 0 && byte == 0) {
                avitoi_cert_fail(c, AVITO_TLS_CERT_DER);
                return;
            }
            c->need = c->need << 8 | byte;
            if (--c->len_bytes == 0) {
                if (c->need < 0x80u) {
                    avitoi_cert_fail(c, AVITO_TLS_CERT_DER);
                    return;
                }
                avitoi_cert_element(c, c->need);
            }
            return;
    }
}

static void avitoi_cert_hold(avitoi_cert *c, const uint8_t *bytes, size_t len)
{
    size_t i;
    for (i = 0; i < len; i++) {
        if (c->held_len < sizeof c->held) {
            c->held[c->held_len++] = bytes[i];
        }
        c->hash = (c->hash ^ bytes[i]) * 16777619u;
    }
}

/* Takes bytes of the certificate: contents that are skipped or held, in runs, and headers byte by byte. */
static void avitoi_cert_feed(avitoi_cert *c, const uint8_t *bytes, size_t len)
{
    while (len > 0 && c->failure == 0) {
        size_t n = 1;
        if (c->pos >= c->end[0]) {
            avitoi_cert_fail(c, AVITO_TLS_CERT_DER);
            return;
        }
        if (c->step == AVITOI_CERT_SKIP || c->step == AVITOI_CERT_HOLD) {
            n = len < c->need ? len : c->need;
            if (c->step == AVITOI_CERT_HOLD) {
                avitoi_cert_hold(c, bytes, n);
            }
            c->pos += (uint32_t)n;
            c->need -= (uint32_t)n;
            if (c->need == 0) {
                if (c->step == AVITOI_CERT_HOLD) {
                    avitoi_cert_held(c);
                }
                avitoi_cert_up(c);
            }
        } else {
            c->pos++;
            avitoi_cert_header(c, *bytes);
        }
        bytes += n;
        len -= n;
    }
}

static void avitoi_cert_begin(avitoi_cert *c, uint32_t len)
{
    c->pos = 0;
    c->depth = 0;
    c->end[0] = len;
    c->step = AVITOI_CERT_TAG;
    c->field = 0;
    c->found = 0;
    c->seen_len = 0;
    c->extension = AVITOI_CERT_EXT_OTHER;
    if (c->certs >= AVITOI_CERT_CHAIN_MAX) {
        avitoi_cert_fail(c, AVITO_TLS_CERT_CHAIN);
    }
}

static void avitoi_cert_finish(avitoi_cert *c)
{
    if (c->pos != c->end[0] || c->pos == 0 || c->depth != 0 || c->step != AVITOI_CERT_TAG) {
        avitoi_cert_fail(c, AVITO_TLS_CERT_DER);
    }
    if ((c->found & AVITOI_CERT_FOUND_VERSION) == 0) {
        avitoi_cert_fail(c, AVITO_TLS_CERT_VERSION);
    }
    if ((c->found & AVITOI_CERT_FOUND_USAGE) != 0 && (c->found & AVITOI_CERT_FOUND_SERVER) == 0) {
        avitoi_cert_fail(c, AVITO_TLS_CERT_USAGE);
    }
    if (c->certs == 0 && (c->found & AVITOI_CERT_FOUND_NAME) == 0) {
        avitoi_cert_fail(c, AVITO_TLS_CERT_NO_NAME);
    }
    c->certs = (uint8_t)(c->certs < 255 ? c->certs + 1 : 255);
}

/* The class: every function does its part and passes the call on. */

static avitoi_cert *avitoi_cert_class_self(const br_x509_class **ctx)
{
    return (avitoi_cert *)(void *)ctx;
}

static void avitoi_cert_class_start_chain(const br_x509_class **ctx, const char *server_name)
{
    avitoi_cert *c = avitoi_cert_class_self(ctx);
    c->started = true;
    c->certs = 0;
    c->failure = 0;
    c->inner->vtable->start_chain(&c->inner->vtable, server_name);
}

static void avitoi_cert_class_start_cert(const br_x509_class **ctx, uint32_t len)
{
    avitoi_cert *c = avitoi_cert_class_self(ctx);
    avitoi_cert_begin(c, len);
    c->inner->vtable->start_cert(&c->inner->vtable, len);
}

static void avitoi_cert_class_append(const br_x509_class **ctx, const unsigned char *data,
                                     size_t len)
{
    avitoi_cert *c = avitoi_cert_class_self(ctx);
    avitoi_cert_feed(c, data, len);
    c->inner->vtable->append(&c->inner->vtable, data, len);
}

static void avitoi_cert_class_end_cert(const br_x509_class **ctx)
{
    avitoi_cert *c = avitoi_cert_class_self(ctx);
    avitoi_cert_finish(c);
    c->inner->vtable->end_cert(&c->inner->vtable);
}

static unsigned avitoi_cert_class_end_chain(const br_x509_class **ctx)
{
    avitoi_cert *c = avitoi_cert_class_self(ctx);
    unsigned result = c->inner->vtable->end_chain(&c->inner->vtable);
    return result != 0 ? result : c->failure;
}

static const br_x509_pkey *avitoi_cert_class_get_pkey(const br_x509_class *const *ctx,
                                                      unsigned *usages)
{
    const avitoi_cert *c = (const avitoi_cert *)(const void *)ctx;
    return c->inner->vtable->get_pkey((const br_x509_class *const *)&c->inner->vtable, usages);
}

static const br_x509_class avitoi_cert_class = {
    sizeof(avitoi_cert),  avitoi_cert_class_start_chain, avitoi_cert_class_start_cert, avitoi_cert_class_append,
    avitoi_cert_class_end_cert, avitoi_cert_class_end_chain,   avitoi_cert_class_get_pkey};

/* ======================================================================= *
 * >>88 TLS: SET-UP
 * ======================================================================= *
 *
 * A profile of BearSSL's client, and what no profile may loosen: version, suites, hashes, key sizes.
 * Comes in: options, anchors, a buffer. Goes out: a context that is ready to connect, and BearSSL's
 * errors as ours. May not touch the transport below.
 */

/* With hardware for AES and its multiplication GCM is ten times as fast as ChaCha20; without, ChaCha20 is
 * the faster one. */
static const uint16_t avitoi_tls_suites_gcm_first[6] = {
    BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,       BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,       BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384};

#if !AVITO_TLS_OWN_PROFILE
static const uint16_t avitoi_tls_suites_chacha_first[6] = {
    BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,       BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,       BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384};

AVITO_API void avito_tls_profile(br_ssl_client_context *ssl, br_x509_minimal_context *x509)
{
    if (ssl == NULL || x509 == NULL) {
        return;
    }
    br_ssl_engine_context *eng = &ssl->eng;
    bool hardware = br_aes_x86ni_ctr_get_vtable() != NULL || br_aes_pwr8_ctr_get_vtable() != NULL;
    br_poly1305_run poly = br_poly1305_ctmulq_get();
    br_ssl_engine_set_suites(
        eng, hardware ? avitoi_tls_suites_gcm_first : avitoi_tls_suites_chacha_first, 6);
    br_ssl_engine_set_default_rsavrfy(eng);
    br_ssl_engine_set_default_ecdsa(eng);
    br_x509_minimal_set_rsa(x509, br_ssl_engine_get_rsavrfy(eng));
    br_x509_minimal_set_ecdsa(x509, br_ssl_engine_get_ec(eng), br_ssl_engine_get_ecdsa(eng));
    br_ssl_engine_set_hash(eng, br_sha256_ID, &br_sha256_vtable);
    br_ssl_engine_set_hash(eng, br_sha384_ID, &br_sha384_vtable);
    br_ssl_engine_set_hash(eng, br_sha512_ID, &br_sha512_vtable);
    br_x509_minimal_set_hash(x509, br_sha256_ID, &br_sha256_vtable);
    br_x509_minimal_set_hash(x509, br_sha384_ID, &br_sha384_vtable);
    br_x509_minimal_set_hash(x509, br_sha512_ID, &br_sha512_vtable);
    br_ssl_engine_set_prf_sha256(eng, &br_tls12_sha256_prf);
    br_ssl_engine_set_prf_sha384(eng, &br_tls12_sha384_prf);
    br_ssl_engine_set_default_aes_gcm(eng);
    /* br_chacha20_ct is quicker than BearSSL's SSE2 code. */
    br_ssl_engine_set_chapol(eng, &br_sslrec_in_chapol_vtable, &br_sslrec_out_chapol_vtable);
    br_ssl_engine_set_chacha20(eng, &br_chacha20_ct_run);
    br_ssl_engine_set_poly1305(eng, poly != NULL ? poly : &br_poly1305_ctmul_run);
}
#endif

/* Without a profile no suite is chosen, which is refused below. */
static void avitoi_tls_choose(avito_tls *tls)
{
    if (tls->o.configure != NULL) {
        tls->o.configure(tls->o.ctx, &tls->priv.ssl, &tls->priv.check.x509);
        return;
    }
#if !AVITO_TLS_OWN_PROFILE
    avito_tls_profile(&tls->priv.ssl, &tls->priv.check.x509);
#endif
}

/* Sets what the choice of implementations cannot loosen. */
static int avitoi_tls_insist(avito_tls *tls)
{
    br_ssl_engine_context *eng = &tls->priv.ssl.eng;
    br_x509_minimal_context *x509 = &tls->priv.check.x509;
    unsigned i, k;
    for (i = 0; i < eng->suites_num; i++) {
        for (k = 0; k < 6 && eng->suites_buf[i] != avitoi_tls_suites_gcm_first[k]; k++) {
        }
        if (k == 6) {
            return AVITO_ERR_ARGUMENT;
        }
    }
    if (eng->suites_num == 0) {
        return AVITO_ERR_ARGUMENT;
    }
    br_ssl_engine_set_versions(eng, BR_TLS12, BR_TLS12);
    br_ssl_engine_set_all_flags(eng, BR_OPT_NO_RENEGOTIATION | BR_OPT_FAIL_ON_ALPN_MISMATCH);
    tls->priv.alpn[0] = "http/1.1";
    br_ssl_engine_set_protocol_names(eng, tls->priv.alpn, 1);
    for (i = br_md5_ID; i <= br_sha224_ID; i++) { /* md5, sha1, sha224 */
        br_ssl_engine_set_hash(eng, (int)i, NULL);
        br_x509_minimal_set_hash(x509, (int)i, NULL);
    }
    br_x509_minimal_set_minrsa(x509, 256);
    tls->priv.check.cert.vtable = &avitoi_cert_class;
    tls->priv.check.cert.inner = x509;
    br_ssl_engine_set_x509(eng, &tls->priv.check.cert.vtable);
    return AVITO_OK;
}

/* Chooses the implementations for the engine and the certificate check. */
static int avitoi_tls_set_up(avito_tls *tls)
{
    memset(&tls->priv.check, 0, sizeof tls->priv.check);
    br_x509_minimal_init(&tls->priv.check.x509, &br_sha256_vtable, tls->o.anchors,
                         tls->o.anchors_count);
    avitoi_tls_choose(tls);
    return avitoi_tls_insist(tls);
}

/* Was it initialised, and without an error? */
static bool avitoi_tls_is_ready(const avito_tls *tls)
{
    return tls != NULL && tls->o.buffer != NULL;
}

/* .state: no connection, the transport below connects, ours does, it is open. */
enum { AVITOI_TLS_IDLE, AVITOI_TLS_BELOW, AVITOI_TLS_HANDSHAKE, AVITOI_TLS_OPEN };

AVITO_API avito_arena *avito_tls_arena(avito_tls *tls)
{
    if (!avitoi_tls_is_ready(tls)) {
        return NULL;
    }
    if (tls->priv.arena.base == NULL) {
        tls->priv.arena = avito_arena_of(&tls->priv.check, sizeof tls->priv.check);
        tls->priv.arena.lent = true;
        tls->priv.checking = tls->priv.state == AVITOI_TLS_BELOW || tls->priv.state == AVITOI_TLS_HANDSHAKE;
        tls->priv.arena.busy = tls->priv.checking; /* a handshake is under way: it is free when that ends */
    }
    return &tls->priv.arena;
}

/* Before a handshake: takes back the memory of the check, unless results are in it. */
static int avitoi_tls_take_back(avito_tls *tls)
{
    avito_arena *arena = &tls->priv.arena;
    if (arena->base == NULL) {
        return AVITO_OK;
    }
    if (arena->busy || arena->used > 0) {
        return AVITO_ERR_BUSY;
    }
    arena->busy = true;
    tls->priv.checking = true;
    return avitoi_tls_set_up(tls);
}

static void avitoi_tls_lend(avito_tls *tls)
{
    if (tls->priv.checking) {
        tls->priv.checking = false;
        tls->priv.arena.busy = false;
    }
}

#define AVITOI_TLS_FRAGMENT_MAX 16384u
#define AVITOI_TLS_OUT_OVERHEAD 85u

/* In full duplex the output gets what its largest fragment needs, the input all the rest. */
static int avitoi_tls_set_buffers(avito_tls *tls)
{
    br_ssl_engine_context *eng = &tls->priv.ssl.eng;
    uint8_t *buffer = (uint8_t *)tls->o.buffer;
    size_t cap = tls->o.buffer_cap;
    size_t out = 0;
    if (tls->o.full_duplex) {
        size_t fragment = AVITOI_TLS_FRAGMENT_MAX;
        while (fragment >= 512 && cap < AVITO_TLS_BUFFER_FULL(fragment)) {
            fragment = fragment == AVITOI_TLS_FRAGMENT_MAX ? 4096 : fragment / 2;
        }
        if (fragment < 512) {
            return AVITO_ERR_TLS_ROOM;
        }
        out = fragment + AVITOI_TLS_OUT_OVERHEAD;
    } else if (cap < AVITO_TLS_BUFFER_HALF(512)) {
        return AVITO_ERR_TLS_ROOM;
    }
    br_ssl_engine_set_buffers_bidi(eng, buffer, cap - out, out > 0 ? buffer + (cap - out) : NULL,
                                   out);
    /* Asked at once, since the next reset forgets that the buffer was refused. */
    return br_ssl_engine_last_error(eng) == BR_ERR_OK ? AVITO_OK : AVITO_ERR_TLS_ROOM;
}

/* Hashes a field and its length, so that no two lists of fields look alike. */
static void avitoi_tls_hash_field(br_sha256_context *hash, const unsigned char *field, size_t len)
{
    const uint8_t length[2] = {(uint8_t)(len >> 8), (uint8_t)(len & 255u)};
    br_sha256_update(hash, length, sizeof length);
    br_sha256_update(hash, field, len);
}

/* A number for this set of anchors: a session that was made with others must not be resumed. */
static void avitoi_tls_hash_anchors(avito_tls *tls)
{
    br_sha256_context hash;
    uint8_t out[32];
    size_t i;
    br_sha256_init(&hash);
    for (i = 0; i < tls->o.anchors_count; i++) {
        const br_x509_trust_anchor *a = &tls->o.anchors[i];
        const bool rsa = a->pkey.key_type == BR_KEYTYPE_RSA;
        const uint8_t kind[3] = {a->pkey.key_type, (uint8_t)(a->flags & 255u),
                                 (uint8_t)(rsa ? 0 : a->pkey.key.ec.curve)};
        br_sha256_update(&hash, kind, sizeof kind);
        avitoi_tls_hash_field(&hash, a->dn.data, a->dn.len);
        if (rsa) {
            avitoi_tls_hash_field(&hash, a->pkey.key.rsa.n, a->pkey.key.rsa.nlen);
            avitoi_tls_hash_field(&hash, a->pkey.key.rsa.e, a->pkey.key.rsa.elen);
        } else {
            avitoi_tls_hash_field(&hash, a->pkey.key.ec.q, a->pkey.key.ec.qlen);
        }
    }
    br_sha256_out(&hash, out);
    memcpy(tls->priv.anchors_key, out, sizeof tls->priv.anchors_key);
}

AVITO_API avito_tls_options avito_tls_options_default(void)
{
    avito_tls_options options;
    memset(&options, 0, sizeof options);
    return options;
}

/* The first option at fault. */
static int avitoi_tls_check_options(const avito_tls_options *o)
{
    const avito_transport_functions *f = o->transport.functions;
    if (f == NULL || f->connect == NULL || f->send == NULL || f->recv == NULL || f->wants == NULL ||
        f->close == NULL) {
        return AVITO_ERR_OPTION_TRANSPORT;
    }
    if (o->anchors == NULL || o->anchors_count == 0) {
        return AVITO_ERR_OPTION_ANCHORS;
    }
    if (o->unix_time == NULL) {
        return AVITO_ERR_OPTION_TIME;
    }
    if (o->entropy == NULL) {
        return AVITO_ERR_OPTION_ENTROPY;
    }
    return o->buffer == NULL ? AVITO_ERR_TLS_ROOM : AVITO_OK;
}

AVITO_API int avito_tls_init(avito_tls *tls, const avito_tls_options *options)
{
    int rc;
    if (tls == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    memset(tls, 0, sizeof *tls);
    if (options == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    tls->o = *options;
    if (tls->o.read_ahead == NULL) {
        tls->o.read_ahead_cap = 0;
    }
    rc = avitoi_tls_check_options(&tls->o);
    if (rc == AVITO_OK) {
        br_ssl_client_zero(&tls->priv.ssl);
        rc = avitoi_tls_set_up(tls);
    }
    if (rc == AVITO_OK) {
        rc = avitoi_tls_set_buffers(tls);
    }
    if (rc != AVITO_OK) { /* as if it had never been initialised: each function says so */
        memset(tls, 0, sizeof *tls);
        return rc;
    }
    avitoi_tls_hash_anchors(tls);
    return AVITO_OK;
}

/* ---- results ---- */

/* BearSSL's error as one of ours. */
static int avitoi_tls_result(int error)
{
    switch (error) {
        case BR_ERR_TOO_LARGE:
            return AVITO_ERR_TLS_ROOM;
        case BR_ERR_NO_RANDOM:
            return AVITO_ERR_OPTION_ENTROPY;
        case BR_ERR_X509_TIME_UNKNOWN:
            return AVITO_ERR_OPTION_TIME;
        case BR_ERR_X509_EXPIRED:
            return AVITO_ERR_TLS_TIME;
        case BR_ERR_X509_BAD_SERVER_NAME:
            return AVITO_ERR_TLS_NAME;
        case BR_ERR_X509_NOT_TRUSTED:
        case BR_ERR_X509_DN_MISMATCH:
        case BR_ERR_X509_BAD_SIGNATURE:
            return AVITO_ERR_TLS_TRUST;
        case BR_ERR_WRONG_KEY_USAGE:
            return AVITO_ERR_TLS_CERT;
        default:
            break;
    }
    if ((error > BR_ERR_X509_OK && error <= BR_ERR_X509_NOT_TRUSTED) ||
        error >= AVITO_TLS_CERT_DER) {
        return AVITO_ERR_TLS_CERT;
    }
    return AVITO_ERR_TLS;
}

/* The connection is broken: every further call says so. */
static int avitoi_tls_fail(avito_tls *tls, int result, int detail)
{
    if (tls->priv.failure == 0) {
        tls->priv.failure = result;
        tls->priv.detail = detail;
    }
    return tls->priv.failure;
}

/* The engine has stopped. Zero: both sides said goodbye. */
static int avitoi_tls_engine_result(avito_tls *tls)
{
    int error = br_ssl_engine_last_error(&tls->priv.ssl.eng);
    if (error == BR_ERR_OK) {
        return 0;
    }
    tls->priv.session_time = 0; /* whatever went wrong: next time a full handshake */
    if (error == BR_ERR_TOO_LARGE) {
        const uint8_t *head = tls->priv.head;
        return avitoi_tls_fail(tls, AVITO_ERR_TLS_ROOM, 5 + (head[3] << 8 | head[4]));
    }
    return avitoi_tls_fail(tls, avitoi_tls_result(error), error);
}

/* An error of the transport below. */
static int avitoi_tls_inner_result(avito_tls *tls, long result, int fallback)
{
    return avitoi_error_from_transport(&tls->o.transport, result, fallback, &tls->priv.detail);
}

/* ======================================================================= *
 * >>89 TLS: RECORDS
 * ======================================================================= *
 *
 * Bytes between BearSSL's engine and the transport below: finished records are sent, what has come is
 * taken, and each round has to move a byte. Comes in: the engine's state. Goes out: what the engine can
 * do next, or an error. May not wait, or know of hosts and sessions.
 */

#define AVITOI_TLS_NOTHING       (-3L) /* the engine takes no input now */
typedef long avitoi_tls_io;            /* bytes, AVITO_IO_*, AVITOI_TLS_NOTHING, or an error */
AVITOI_ASSERT(tls_nothing_is_no_error, AVITOI_TLS_NOTHING < AVITO_IO_CLOSED &&
                                           AVITOI_TLS_NOTHING > (long)AVITO_ERR_ARGUMENT);
#define AVITOI_TLS_HANDSHAKE_MAX 65536u
#define AVITOI_TLS_IDLE_MAX      32
#define AVITOI_TLS_CHANGE_CIPHER 20 /* the type of that record */
#define AVITOI_TLS_WATCHED_PIECE 64u /* so that one piece holds the end of one message at most */

static void avitoi_tls_watch(avito_tls *tls)
{
    if (tls->o.watchdog != NULL && tls->priv.state != AVITOI_TLS_OPEN) {
        tls->o.watchdog(tls->o.ctx);
    }
}

/* The last two records of a handshake, the change of the cipher and what is called Finished, are kept:
 * in a resumed one the request leaves with them. */
static void avitoi_tls_gather(avito_tls *tls)
{
    br_ssl_engine_context *eng = &tls->priv.ssl.eng;
    for (;;) {
        size_t len = 0;
        const unsigned char *record = br_ssl_engine_sendrec_buf(eng, &len);
        if (record == NULL || tls->priv.shift != 0 || /* joined: part of it has left */
            len > sizeof tls->priv.flight - tls->priv.flight_len ||
            (tls->priv.flight_len == 0 && record[0] != AVITOI_TLS_CHANGE_CIPHER)) {
            return;
        }
        memcpy(tls->priv.flight + tls->priv.flight_len, record, len);
        tls->priv.flight_len = (uint8_t)(tls->priv.flight_len + len);
        br_ssl_engine_sendrec_ack(eng, len);
    }
}

/* Puts the flight before the record, which the engine only counts from now on. It needs room after it. */
static void avitoi_tls_join(avito_tls *tls, unsigned char *record, size_t len)
{
    const size_t flight = tls->priv.flight_len;
    const size_t end = (size_t)(record - (unsigned char *)tls->o.buffer) + len;
    if (flight > 0 && tls->priv.shift == 0 && end + flight <= tls->o.buffer_cap) {
        memmove(record + flight, record, len);
        memcpy(record, tls->priv.flight, flight);
        tls->priv.shift = (uint8_t)flight;
    }
}

/* `n` bytes of the flight, then of a record of `len` bytes, have left. */
static void avitoi_tls_left(avito_tls *tls, size_t n, size_t len)
{
    const size_t flight = n < tls->priv.flight_len ? n : tls->priv.flight_len;
    tls->priv.flight_len = (uint8_t)(tls->priv.flight_len - flight);
    if (tls->priv.shift == 0) {
        memmove(tls->priv.flight, tls->priv.flight + flight, tls->priv.flight_len);
    }
    if (n - flight == len) {
        tls->priv.shift = 0;
    }
    if (n > flight) {
        avitoi_tls_watch(tls);
        br_ssl_engine_sendrec_ack(&tls->priv.ssl.eng, n - flight);
        avitoi_tls_watch(tls);
    }
}

/* Sends finished records. > 0: some bytes left; 0: there were none; AVITO_IO_AGAIN. After a failure
 * below, records are dropped, so that what the server said before can still be read. */
static long avitoi_tls_push(avito_tls *tls, int more)
{
    const avito_transport *below = &tls->o.transport;
    long moved = 0;
    for (;;) {
        size_t len = 0;
        unsigned char *record = br_ssl_engine_sendrec_buf(&tls->priv.ssl.eng, &len);
        const unsigned char *from = tls->priv.flight;
        size_t due = tls->priv.flight_len;
        long n;
        if (record != NULL) {
            avitoi_tls_join(tls, record, len);
            if (due == 0 || tls->priv.shift > 0) {
                from = record + tls->priv.shift - due;
                due += len;
            }
        }
        if (due == 0) {
            return moved;
        }
        if (tls->priv.send_failure != 0) {
            n = (long)due;
        } else {
            n = (below->functions->send)(below->ctx, from, due, more);
        }
        if (n == 0 || n == AVITO_IO_AGAIN) {
            return moved > 0 ? moved : AVITO_IO_AGAIN;
        }
        if (n < 0 || (size_t)n > due) {
            tls->priv.send_failure = avitoi_tls_inner_result(tls, n, AVITO_ERR_SEND);
            continue;
        }
        tls->priv.moved += (uint32_t)n;
        avitoi_tls_left(tls, (size_t)n, len);
        moved = 1;
    }
}

/* Receives from the transport below. If it claims more bytes than there is room for, that is its error. */
static long avitoi_tls_recv_below(avito_tls *tls, void *to, size_t room)
{
    const avito_transport *below = &tls->o.transport;
    const long n = (below->functions->recv)(below->ctx, to, room);
    if (n > 0 && (size_t)n > room) {
        return AVITO_ERR_RECV;
    }
    tls->priv.more_below = n > 0 && (size_t)n == room;
    tls->priv.moved += n > 0 ? (uint32_t)n : 0u;
    return n;
}

/* Has anything come? Keeps what it finds, a few bytes if there is no read-ahead buffer. */
static long avitoi_tls_peek(avito_tls *tls)
{
    bool large = tls->o.read_ahead_cap > 0;
    void *to = large ? tls->o.read_ahead : tls->priv.peeked;
    size_t cap = large ? tls->o.read_ahead_cap : sizeof tls->priv.peeked;
    if (tls->priv.ahead_pos == tls->priv.ahead_len) {
        long n = avitoi_tls_recv_below(tls, to, cap);
        if (n <= 0) {
            return n;
        }
        tls->priv.ahead_pos = 0;
        tls->priv.ahead_len = (size_t)n;
    }
    return (long)(tls->priv.ahead_len - tls->priv.ahead_pos);
}

/* Reads from below into the engine's buffer, through the read-ahead buffer if that holds more: the head of a
 * record brings what follows it, the rest of a large one comes straight. */
static long avitoi_tls_fetch(avito_tls *tls, unsigned char *to, size_t room)
{
    const uint8_t *ahead =
        tls->o.read_ahead_cap > 0 ? (const uint8_t *)tls->o.read_ahead : tls->priv.peeked;
    size_t n;
    if (tls->o.watchdog != NULL && tls->priv.state != AVITOI_TLS_OPEN &&
        room > AVITOI_TLS_WATCHED_PIECE) {
        room = AVITOI_TLS_WATCHED_PIECE;
    }
    if (tls->priv.ahead_pos == tls->priv.ahead_len) {
        const bool straight = room >= tls->o.read_ahead_cap;
        const long got = straight ? avitoi_tls_recv_below(tls, to, room) : avitoi_tls_peek(tls);
        if (got <= 0 || straight) {
            return got;
        }
    }
    n = tls->priv.ahead_len - tls->priv.ahead_pos;
    n = n < room ? n : room;
    memcpy(to, ahead + tls->priv.ahead_pos, n);
    tls->priv.ahead_pos += n;
    return (long)n;
}

/* Follows the records' boundaries. True: these bytes ended one. The engine never asks for bytes of
 * a header and of what follows it at once. */
static bool avitoi_tls_follow(avito_tls *tls, const unsigned char *bytes, size_t n)
{
    if (tls->priv.head_len < 5) {
        size_t i;
        for (i = 0; i < n && tls->priv.head_len < 5; i++) {
            tls->priv.head[tls->priv.head_len++] = bytes[i];
        }
        if (tls->priv.head_len < 5) {
            return false;
        }
        tls->priv.record_left = (uint32_t)(tls->priv.head[3] << 8 | tls->priv.head[4]);
    } else {
        tls->priv.record_left -= n < tls->priv.record_left ? (uint32_t)n : tls->priv.record_left;
    }
    if (tls->priv.record_left == 0) {
        tls->priv.head_len = 0;
        return true;
    }
    return false;
}

/* Gives the engine what came from below. > 0: some did; AVITO_IO_AGAIN; AVITO_IO_CLOSED;
 * AVITOI_TLS_NOTHING: it takes none now; or an error. */
static avitoi_tls_io avitoi_tls_pull(avito_tls *tls)
{
    br_ssl_engine_context *eng = &tls->priv.ssl.eng;
    size_t room = 0;
    unsigned char *to = br_ssl_engine_recvrec_buf(eng, &room);
    bool ended;
    long n;
    if (to == NULL) {
        return AVITOI_TLS_NOTHING;
    }
    n = avitoi_tls_fetch(tls, to, room);
    if (n == 0 || n == AVITO_IO_AGAIN) {
        return AVITO_IO_AGAIN;
    }
    if (n == AVITO_IO_CLOSED) {
        return n;
    }
    if (n < 0) {
        return avitoi_tls_inner_result(tls, n, AVITO_ERR_RECV);
    }
    ended = avitoi_tls_follow(tls, to, (size_t)n);
    if (tls->priv.state == AVITOI_TLS_HANDSHAKE) {
        tls->priv.handshake_bytes += (uint32_t)n;
        if (tls->priv.handshake_bytes > AVITOI_TLS_HANDSHAKE_MAX) {
            return avitoi_tls_fail(tls, AVITO_ERR_TLS_STALL, 0);
        }
    }
    avitoi_tls_watch(tls);
    br_ssl_engine_recvrec_ack(eng, (size_t)n);
    avitoi_tls_watch(tls);
    if (ended && tls->priv.state == AVITOI_TLS_OPEN) {
        if (br_ssl_engine_recvapp_buf(eng, &room) != NULL) {
            tls->priv.idle_records = 0;
        } else if (++tls->priv.idle_records > AVITOI_TLS_IDLE_MAX) {
            return avitoi_tls_fail(tls, AVITO_ERR_TLS_STALL, 0);
        }
    }
    return n;
}

/* Half duplex with a record of ours in the buffer: it is not finished because more is to come, or
 * cannot leave. If the server has said something meanwhile, that goes first. */
static long avitoi_tls_unfinished_record(avito_tls *tls, bool stuck)
{
    long n;
    if (!stuck && tls->priv.held_back == 0) {
        return avitoi_tls_fail(tls, AVITO_ERR_TLS_STALL, 0); /* the engine wants nothing at all */
    }
    n = avitoi_tls_peek(tls);
    if (n == 0 || n == AVITO_IO_AGAIN) {
        if (stuck || tls->priv.held_back++ == 1) {
            return AVITO_IO_AGAIN; /* more is to come at once */
        }
    } else if (stuck) {
        tls->priv.send_failure = AVITO_ERR_SEND; /* the record is dropped, and the next call shows the rest */
        return AVITO_OK;
    } else if (n == AVITO_IO_CLOSED) {
        return n;
    } else if (n < 0) {
        return avitoi_tls_inner_result(tls, n, AVITO_ERR_RECV);
    }
    tls->priv.held_back = 0;
    br_ssl_engine_flush(&tls->priv.ssl.eng, 0);
    return AVITO_OK;
}

/* Takes what has come. After the header of a record it also takes the record, if that is there already. */
static avitoi_tls_io avitoi_tls_pull_record(avito_tls *tls)
{
    const long got = avitoi_tls_pull(tls);
    if (got > 0 && tls->priv.head_len == 5 && tls->priv.ahead_pos < tls->priv.ahead_len) {
        const long rest = avitoi_tls_pull(tls);
        return rest < AVITOI_TLS_NOTHING ? rest : got;
    }
    return got;
}

/* One round: sends what is ready, takes what has come. AVITO_OK: go on; AVITO_IO_AGAIN;
 * AVITO_IO_CLOSED: the engine or the transport below has ended; or an error. Each round moves a byte
 * or ends, so no peer can keep us turning. */
static long avitoi_tls_round(avito_tls *tls)
{
    br_ssl_engine_context *eng = &tls->priv.ssl.eng;
    long sent = avitoi_tls_push(tls, 0);
    const bool broken = tls->priv.state == AVITOI_TLS_HANDSHAKE && tls->priv.send_failure != 0;
    avitoi_tls_io got = broken ? AVITOI_TLS_NOTHING : avitoi_tls_pull_record(tls);
    if (got == AVITOI_TLS_NOTHING && br_ssl_engine_current_state(eng) == BR_SSL_CLOSED) {
        return AVITO_IO_CLOSED;
    }
    if (broken) {
        return tls->priv.send_failure;
    }
    if (got > 0 || (sent > 0 && (got == AVITOI_TLS_NOTHING || got == AVITO_IO_AGAIN))) {
        return AVITO_OK;
    }
    if (got != AVITOI_TLS_NOTHING) {
        return got;
    }
    if (tls->priv.state == AVITOI_TLS_HANDSHAKE && sent == AVITO_IO_AGAIN) {
        return AVITO_IO_AGAIN;
    }
    return avitoi_tls_unfinished_record(tls, sent == AVITO_IO_AGAIN);
}

/* ======================================================================= *
 * >>90 TLS: CONNECTIONS
 * ======================================================================= *
 *
 * The transport's functions: connect with a handshake or a kept session, send, recv, wants, wait, close.
 * Comes in: a host, plain bytes. Goes out: plain bytes, AGAIN, an error. May not wait, except in wait().
 */

#define AVITOI_TLS_SESSION_AGE 86400 /* seconds; certificates are looked at again after that */

static void avitoi_tls_session_key(const avito_tls *tls, const avito_server *to, uint8_t key[16])
{
    br_sha256_context hash;
    uint8_t out[32];
    uint8_t port[3];
    port[0] = 0;
    port[1] = (uint8_t)(to->port >> 8);
    port[2] = (uint8_t)(to->port & 255u);
    br_sha256_init(&hash);
    br_sha256_update(&hash, tls->priv.anchors_key, sizeof tls->priv.anchors_key);
    br_sha256_update(&hash, to->host, strlen(to->host));
    br_sha256_update(&hash, port, sizeof port);
    br_sha256_out(&hash, out);
    memcpy(key, out, 16);
}

/* Puts the kept session into the engine if it is for this server, else none. */
static void avitoi_tls_use_session(avito_tls *tls, const avito_server *to)
{
    int64_t age = tls->priv.now - tls->priv.session_time;
    uint8_t key[16];
    avitoi_tls_session_key(tls, to, key);
    if (tls->priv.session_time == 0 || age < 0 || age > AVITOI_TLS_SESSION_AGE ||
        memcmp(key, tls->priv.session_key, sizeof key) != 0) {
        tls->priv.session_time = 0;
        memcpy(tls->priv.session_key, key, sizeof key);
        br_ssl_client_forget_session(&tls->priv.ssl);
        return;
    }
    br_ssl_engine_set_session_parameters(&tls->priv.ssl.eng, &tls->priv.session);
}

static void avitoi_tls_keep_session(avito_tls *tls)
{
    tls->priv.resumed = !tls->priv.check.cert.started;
    if (tls->priv.resumed) {
        return;
    }
    br_ssl_engine_get_session_parameters(&tls->priv.ssl.eng, &tls->priv.session);
    tls->priv.session_time = tls->priv.session.session_id_len > 0 ? tls->priv.now : 0;
}

AVITO_API bool avito_tls_resumed(const avito_tls *tls)
{
    return tls != NULL && tls->priv.resumed;
}

AVITO_API int avito_tls_suite(const avito_tls *tls)
{
    return tls != NULL && tls->priv.state == AVITOI_TLS_OPEN ? tls->priv.ssl.eng.session.cipher_suite
                                                             : 0;
}

AVITO_API bool avito_tls_at_rest(const avito_tls *tls)
{
    size_t len = 0;
    if (!avitoi_tls_is_ready(tls) || tls->priv.state == AVITOI_TLS_IDLE) {
        return avitoi_tls_is_ready(tls);
    }
    /* While the engine takes a record it holds no plain text, and in half duplex none of ours. */
    return tls->priv.state == AVITOI_TLS_OPEN && tls->priv.flight_len == 0 &&
           tls->priv.head_len == 0 && tls->priv.held_back == 0 &&
           br_ssl_engine_recvrec_buf(&tls->priv.ssl.eng, &len) != NULL &&
           br_ssl_engine_sendrec_buf(&tls->priv.ssl.eng, &len) == NULL;
}

/* Layout: 1 format, 16 key, 8 time, 2 version, 2 suite, 1 id length, 32 id, 48 secret; rest 0. */
AVITO_API int avito_tls_get_session(const avito_tls *tls, avito_tls_session *out)
{
    const br_ssl_session_parameters *p;
    uint64_t when;
    uint8_t *b;
    unsigned i;
    if (!avitoi_tls_is_ready(tls) || out == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    p = &tls->priv.session;
    when = (uint64_t)tls->priv.session_time;
    b = out->bytes;
    memset(out, 0, sizeof *out);
    if (tls->priv.session_time == 0) {
        return AVITO_END;
    }
    b[0] = 1;
    memcpy(b + 1, tls->priv.session_key, 16);
    for (i = 0; i < 8; i++) {
        b[17 + i] = (uint8_t)(when >> (56 - 8 * i) & 255u);
    }
    b[25] = (uint8_t)(p->version >> 8);
    b[26] = (uint8_t)(p->version & 255u);
    b[27] = (uint8_t)(p->cipher_suite >> 8);
    b[28] = (uint8_t)(p->cipher_suite & 255u);
    b[29] = p->session_id_len;
    memcpy(b + 30, p->session_id, 32);
    memcpy(b + 62, p->master_secret, 48);
    return AVITO_OK;
}

AVITO_API int avito_tls_set_session(avito_tls *tls, const avito_tls_session *session)
{
    br_ssl_session_parameters *p;
    const uint8_t *b;
    uint64_t when = 0;
    unsigned i;
    if (!avitoi_tls_is_ready(tls) || session == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    p = &tls->priv.session;
    b = session->bytes;
    if (b[0] != 1 || b[25] != 3 || b[26] != 3 || b[29] == 0 || b[29] > 32 || (b[17] & 0x80u) != 0 ||
        tls->priv.state != AVITOI_TLS_IDLE) {
        return AVITO_ERR_ARGUMENT;
    }
    for (i = 0; i < 8; i++) {
        when = when << 8 | b[17 + i];
    }
    memcpy(tls->priv.session_key, b + 1, 16);
    tls->priv.session_time = (int64_t)when;
    p->version = BR_TLS12;
    p->cipher_suite = (uint16_t)(b[27] << 8 | b[28]);
    p->session_id_len = b[29];
    memcpy(p->session_id, b + 30, 32);
    memcpy(p->master_secret, b + 62, 48);
    return AVITO_OK;
}

/* ---- connecting ---- */

#define AVITOI_TLS_TIME_MIN 1577836800 /* 2020-01-01: a clock that was never set shows less */
#define AVITOI_TLS_DAYS_MAX 4000000    /* since 1970: the days of BearSSL's calendar stay far within 32 bits */

static bool avitoi_tls_is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

/* A name that a certificate can be for: no address (no top-level domain begins with a digit), no
 * wildcard, no dot at the end. */
static bool avitoi_tls_is_name(const char *host)
{
    size_t len = host != NULL ? strlen(host) : 0;
    size_t label = 0;
    size_t i;
    if (len == 0 || len > 253) {
        return false;
    }
    for (i = 0; i < len; i++) {
        if (!avitoi_tls_is_host_byte(host[i]) || (host[i] == '.' && i == label)) {
            return false;
        }
        if (host[i] == '.') {
            label = i + 1;
        }
    }
    return label < len && !(host[label] >= '0' && host[label] <= '9');
}

static int avitoi_tls_seed(avito_tls *tls)
{
    unsigned char seed[32];
    unsigned any = 0;
    size_t i;
    int rc;
    memset(seed, 0, sizeof seed);
    rc = tls->o.entropy(tls->o.ctx, seed, sizeof seed);
    for (i = 0; i < sizeof seed; i++) {
        any |= seed[i];
    }
    if (rc != AVITO_OK || any == 0) {
        return avitoi_tls_fail(tls, AVITO_ERR_OPTION_ENTROPY, rc);
    }
    br_ssl_engine_inject_entropy(&tls->priv.ssl.eng, seed, sizeof seed);
    return AVITO_OK;
}

/* Before a byte is sent: is there all that a handshake needs? */
static int avitoi_tls_prepare(avito_tls *tls, const avito_server *to)
{
    int rc;
    tls->priv.failure = 0;
    tls->priv.send_failure = 0;
    tls->priv.detail = 0;
    tls->priv.ahead_pos = 0;
    tls->priv.ahead_len = 0;
    tls->priv.head_len = 0;
    tls->priv.record_left = 0;
    tls->priv.handshake_bytes = 0;
    tls->priv.idle_records = 0;
    tls->priv.held_back = 0;
    tls->priv.in_the_way = false;
    tls->priv.resumed = false;
    tls->priv.flight_len = 0;
    tls->priv.shift = 0;
    rc = avitoi_tls_take_back(tls);
    if (rc == AVITO_OK) {
        rc = avitoi_tls_set_buffers(tls);
    }
    if (rc != AVITO_OK) {
        return avitoi_tls_fail(tls, rc, 0);
    }
    tls->priv.check.cert.started = false;
    if (!avitoi_tls_is_name(to->host)) {
        return avitoi_tls_fail(tls, AVITO_ERR_OPTION_HOST, 0);
    }
    tls->priv.now = tls->o.unix_time(tls->o.ctx);
    if (tls->priv.now < AVITOI_TLS_TIME_MIN || tls->priv.now / 86400 > AVITOI_TLS_DAYS_MAX) {
        return avitoi_tls_fail(tls, AVITO_ERR_OPTION_TIME, 0);
    }
    return avitoi_tls_seed(tls);
}

/* The transport below is connected: the handshake begins. */
static void avitoi_tls_start(avito_tls *tls, const avito_server *to)
{
    const int64_t before_1970 = 1970 * 365 + 478; /* BearSSL counts from the year 0: with 478 leap days */
    br_x509_minimal_set_time(&tls->priv.check.x509, (uint32_t)(tls->priv.now / 86400 + before_1970),
                             (uint32_t)(tls->priv.now % 86400));
    avitoi_tls_use_session(tls, to);
    tls->priv.state = AVITOI_TLS_HANDSHAKE;
    avitoi_tls_watch(tls);
    (void)br_ssl_client_reset(&tls->priv.ssl, to->host, 1); /* if it fails, the handshake says why */
    avitoi_tls_watch(tls);
}

/* Runs the engine until the application's bytes may go, or nothing moves. A failed handshake forgets the
 * session: perhaps the server refused that. */
static int avitoi_tls_handshake(avito_tls *tls)
{
    br_ssl_engine_context *eng = &tls->priv.ssl.eng;
    for (;;) {
        size_t room = 0;
        bool closed;
        long rc;
        avitoi_tls_gather(tls); /* ours may be the last word of it */
        if (br_ssl_engine_sendapp_buf(eng, &room) != NULL) {
            avitoi_tls_keep_session(tls);
            avitoi_tls_lend(tls);
            tls->priv.state = AVITOI_TLS_OPEN;
            return AVITO_OK;
        }
        rc = avitoi_tls_round(tls);
        if (rc == AVITO_IO_AGAIN) {
            return AVITO_AGAIN;
        }
        closed = br_ssl_engine_current_state(eng) == BR_SSL_CLOSED;
        if (rc == AVITO_OK && !closed) {
            continue;
        }
        if (tls->priv.send_failure == 0) { /* the line broke, or the server says no by hanging up */
            tls->priv.session_time = 0;    /* perhaps to the session: not twice */
        }
        if (closed) {
            int result = avitoi_tls_engine_result(tls);
            return result != 0 ? result : avitoi_tls_fail(tls, AVITO_ERR_TLS, 0);
        }
        return rc == AVITO_IO_CLOSED ? avitoi_tls_fail(tls, AVITO_ERR_CLOSED, BR_ERR_IO)
                                     : avitoi_tls_fail(tls, (int)rc, tls->priv.detail);
    }
}

/* Connecting, step by step: the context, the transport below, the handshake. Called again after
 * AVITO_AGAIN, it goes on where it was. */
static int avitoi_tls_connect_on(avito_tls *tls, const avito_server *to)
{
    const avito_transport *below = &tls->o.transport;
    int rc;
    if (tls->priv.state == AVITOI_TLS_IDLE) {
        rc = avitoi_tls_prepare(tls, to);
        if (rc != AVITO_OK) {
            return rc;
        }
        tls->priv.state = AVITOI_TLS_BELOW;
    }
    if (tls->priv.state == AVITOI_TLS_BELOW) {
        rc = (below->functions->connect)(below->ctx, to);
        if (rc == AVITO_AGAIN) {
            return AVITO_AGAIN;
        }
        if (rc != AVITO_OK) {
            rc = avitoi_tls_inner_result(tls, rc, AVITO_ERR_CONNECT);
            return avitoi_tls_fail(tls, rc, tls->priv.detail);
        }
        avitoi_tls_start(tls, to);
    }
    return tls->priv.state == AVITOI_TLS_HANDSHAKE ? avitoi_tls_handshake(tls) : AVITO_OK;
}

static int avitoi_tls_connect(void *ctx, const avito_server *to)
{
    avito_tls *tls = (avito_tls *)ctx;
    if (tls->priv.state != AVITOI_TLS_IDLE && tls->priv.failure != 0) {
        return tls->priv.failure;
    }
    return avitoi_tls_connect_on(tls, to);
}

/* ---- moving bytes ---- */

/* Why no byte can be moved any more. */
static long avitoi_tls_ended(avito_tls *tls, bool engine_closed)
{
    int result;
    if (!engine_closed) { /* cut off, or an attacker closed it: TLS had not ended */
        return avitoi_tls_fail(tls, AVITO_ERR_CLOSED, 0);
    }
    result = avitoi_tls_engine_result(tls);
    return result != 0 ? result : AVITO_IO_CLOSED;
}

/* Half duplex, in the middle of a record from the server: that has to be read first. A caller that goes
 * on sending and does not read gets an error: otherwise it would get AGAIN until its time is over. */
static long avitoi_tls_make_room(avito_tls *tls)
{
    br_ssl_engine_context *eng = &tls->priv.ssl.eng;
    for (;;) {
        size_t room = 0;
        long rc;
        if (br_ssl_engine_sendapp_buf(eng, &room) != NULL) {
            return AVITO_OK;
        }
        if (br_ssl_engine_recvapp_buf(eng, &room) != NULL) {
            rc = tls->priv.in_the_way ? (long)AVITO_ERR_SEND : AVITO_IO_AGAIN;
            tls->priv.in_the_way = true;
            return rc;
        }
        rc = avitoi_tls_round(tls);
        if (rc == AVITO_IO_CLOSED) {
            rc = avitoi_tls_ended(tls, br_ssl_engine_current_state(eng) == BR_SSL_CLOSED);
            return rc == AVITO_IO_CLOSED ? (long)AVITO_ERR_CLOSED : rc;
        }
        if (tls->priv.send_failure != 0) {
            return tls->priv.send_failure;
        }
        if (rc != AVITO_OK) {
            return rc;
        }
    }
}

/* Fills one record at most: between two of them the lane gets the chance to look for an early answer,
 * which a shared buffer allows only there. */
static long avitoi_tls_send(void *ctx, const void *data, size_t len, int more)
{
    avito_tls *tls = (avito_tls *)ctx;
    br_ssl_engine_context *eng = &tls->priv.ssl.eng;
    unsigned char *to;
    size_t room = 0;
    long rc;
    if (tls->priv.state != AVITOI_TLS_OPEN || tls->priv.failure != 0) {
        return tls->priv.failure != 0 ? tls->priv.failure : AVITO_ERR_SEND;
    }
    if (tls->priv.send_failure != 0) {
        return tls->priv.send_failure;
    }
    if (len == 0) {
        return AVITO_IO_AGAIN;
    }
    rc = avitoi_tls_make_room(tls);
    if (rc != AVITO_OK) {
        return rc;
    }
    to = br_ssl_engine_sendapp_buf(eng, &room);
    len = len < room ? len : room;
    memcpy(to, data, len);
    br_ssl_engine_sendapp_ack(eng, len);
    tls->priv.held_back = more && len < room ? 1 : 0;
    if (tls->priv.held_back == 0) {
        br_ssl_engine_flush(eng, 0);
        (void)avitoi_tls_push(tls, more);
        if (tls->priv.send_failure != 0) { /* the peer cannot open what left of this record */
            return tls->priv.send_failure;
        }
    }
    return (long)len;
}

/* The transport's recv(): plain bytes that the engine has, else a round for more. */
static long avitoi_tls_recv(void *ctx, void *data, size_t cap)
{
    avito_tls *tls = (avito_tls *)ctx;
    br_ssl_engine_context *eng = &tls->priv.ssl.eng;
    if (tls->priv.state != AVITOI_TLS_OPEN || cap == 0) {
        return tls->priv.state != AVITOI_TLS_OPEN ? (long)AVITO_ERR_RECV : AVITO_IO_AGAIN;
    }
    for (;;) {
        size_t len = 0;
        const unsigned char *from = br_ssl_engine_recvapp_buf(eng, &len);
        long rc;
        if (from != NULL) {
            tls->priv.in_the_way = false;
            len = len < cap ? len : cap;
            memcpy(data, from, len);
            br_ssl_engine_recvapp_ack(eng, len);
            return (long)len;
        }
        if (tls->priv.failure != 0) {
            return tls->priv.failure;
        }
        rc = avitoi_tls_round(tls);
        if (rc == AVITO_IO_CLOSED) {
            return avitoi_tls_ended(tls, br_ssl_engine_current_state(eng) == BR_SSL_CLOSED);
        }
        if (rc == AVITO_IO_AGAIN) {
            /* A look at a kept connection takes the beginning of a record for something unasked. */
            return (cap == 1 && tls->priv.head_len > 0) ? (long)AVITO_ERR_RECV : rc;
        }
        if (rc != AVITO_OK) {
            return avitoi_tls_fail(tls, (int)rc, tls->priv.detail);
        }
    }
}

static int avitoi_tls_has_data(const avito_tls *tls)
{
    size_t len = 0;
    return tls->priv.state == AVITOI_TLS_OPEN &&
           br_ssl_engine_recvapp_buf(&tls->priv.ssl.eng, &len) != NULL;
}

static int avitoi_tls_wants(void *ctx)
{
    const avito_tls *tls = (const avito_tls *)ctx;
    const bool left = tls->priv.more_below || tls->priv.ahead_pos < tls->priv.ahead_len;
    if (avitoi_tls_has_data(tls) || (left && tls->priv.state == AVITOI_TLS_OPEN)) {
        return AVITO_WANT_READ |
               AVITO_WANT_WRITE; /* do not sleep: a socket can nearly always write */
    }
    return (tls->o.transport.functions->wants)(tls->o.transport.ctx);
}

static int avitoi_tls_wait(void *ctx, int wants, uint32_t ms)
{
    const avito_tls *tls = (const avito_tls *)ctx;
    if (avitoi_tls_has_data(tls)) {
        return AVITO_OK;
    }
    return (tls->o.transport.functions->wait)(tls->o.transport.ctx, wants, ms);
}

/* Sends close_notify if that needs no waiting, and does not wait for the server's. */
static void avitoi_tls_close(void *ctx)
{
    avito_tls *tls = (avito_tls *)ctx;
    br_ssl_engine_context *eng = &tls->priv.ssl.eng;
    if (tls->priv.state == AVITOI_TLS_OPEN && tls->priv.send_failure == 0 &&
        tls->priv.failure == 0) {
        size_t len = 0;
        br_ssl_engine_flush(eng, 0);
        (void)avitoi_tls_push(tls, 0);
        if (br_ssl_engine_sendrec_buf(eng, &len) == NULL) {
            br_ssl_engine_close(eng);
            (void)avitoi_tls_push(tls, 0);
        }
    }
    if (tls->priv.state != AVITOI_TLS_IDLE) {
        (tls->o.transport.functions->close)(tls->o.transport.ctx);
    }
    avitoi_tls_lend(tls);
    tls->priv.state = AVITOI_TLS_IDLE;
}

static int avitoi_tls_detail(void *ctx)
{
    return ((const avito_tls *)ctx)->priv.detail;
}

/* Bytes of records, also of a record that is not complete: recv() does not show those yet. */
static uint32_t avitoi_tls_moved(void *ctx)
{
    const avito_tls *tls = (const avito_tls *)ctx;
    const avito_transport *below = &tls->o.transport;
    return below->functions->moved != NULL ? (below->functions->moved)(below->ctx)
                                           : tls->priv.moved;
}

static const avito_transport_functions avitoi_tls_functions = {
    avitoi_tls_connect, avitoi_tls_send,  avitoi_tls_recv,  avitoi_tls_wants,
    avitoi_tls_wait,    avitoi_tls_close, avitoi_tls_detail, avitoi_tls_moved};
static const avito_transport_functions avitoi_tls_functions_never_wait = {
    avitoi_tls_connect, avitoi_tls_send,  avitoi_tls_recv,   avitoi_tls_wants,
    NULL,               avitoi_tls_close, avitoi_tls_detail, avitoi_tls_moved};

AVITO_API avito_transport avito_tls_transport(avito_tls *tls)
{
    avito_transport transport = {NULL, NULL};
    if (avitoi_tls_is_ready(tls)) {
        transport.functions = tls->o.transport.functions->wait != NULL
                                  ? &avitoi_tls_functions
                                  : &avitoi_tls_functions_never_wait;
        transport.ctx = tls;
    }
    return transport;
}

/* ======================================================================= *
 * >>91 TLS: TRUST ANCHORS
 * ======================================================================= *
 *
 * Certificates in PEM become BearSSL's trust anchors: names and keys from the low end of the caller's
 * memory, anchors from its high end. Comes in: PEM, in pieces of any size. Goes out: anchors, or the size
 * that would do. May not judge a certificate's date or name.
 */

#define AVITOI_ANCHORS_ALIGN sizeof(void *)

static void avitoi_anchors_store(avito_anchors *a, const void *bytes, size_t len)
{
    a->priv.bytes += len;
    if (len > a->priv.high - a->priv.low) {
        a->priv.full = true;
    }
    if (!a->priv.full) {
        memcpy(a->priv.memory + a->priv.low, bytes, len);
        a->priv.low += len;
    }
}

static void avitoi_anchors_on_name(void *ctx, const void *bytes, size_t len)
{
    avitoi_anchors_store((avito_anchors *)ctx, bytes, len);
}

static void avitoi_anchors_on_der(void *ctx, const void *bytes, size_t len)
{
    avito_anchors *a = (avito_anchors *)ctx;
    int error = br_x509_decoder_last_error(&a->priv.x509);
    if (error == 0 || error == BR_ERR_X509_TRUNCATED) { /* it would run on after an error */
        br_x509_decoder_push(&a->priv.x509, bytes, len);
    }
}

/* Copies a part of the key and says where it is. */
static unsigned char *avitoi_anchors_copy(avito_anchors *a, const unsigned char *bytes, size_t len)
{
    size_t at = a->priv.low;
    avitoi_anchors_store(a, bytes, len);
    return (unsigned char *)a->priv.memory + at;
}

/* The name is in place: the key and the anchor follow. */
static void avitoi_anchors_append(avito_anchors *a, const br_x509_pkey *key)
{
    br_x509_trust_anchor item;
    memset(&item, 0, sizeof item);
    item.dn.data = (unsigned char *)a->priv.memory + a->priv.certificate_low;
    item.dn.len = a->priv.bytes;
    item.flags = br_x509_decoder_isCA(&a->priv.x509) ? BR_X509_TA_CA : 0;
    item.pkey = *key;
    if (key->key_type == BR_KEYTYPE_RSA) {
        item.pkey.key.rsa.n = avitoi_anchors_copy(a, key->key.rsa.n, key->key.rsa.nlen);
        item.pkey.key.rsa.e = avitoi_anchors_copy(a, key->key.rsa.e, key->key.rsa.elen);
    } else {
        item.pkey.key.ec.q = avitoi_anchors_copy(a, key->key.ec.q, key->key.ec.qlen);
    }
    a->needed += a->priv.bytes + sizeof item;
    if (sizeof item > a->priv.high - a->priv.low) {
        a->priv.full = true;
    }
    if (!a->priv.full) {
        a->priv.high -= sizeof item;
        memcpy(a->priv.memory + a->priv.high, &item, sizeof item);
        a->count++;
    }
}

static void avitoi_anchors_certificate_end(avito_anchors *a)
{
    const int error = br_x509_decoder_last_error(&a->priv.x509);
    const br_x509_pkey *key = br_x509_decoder_get_pkey(&a->priv.x509); /* NULL after an error */
    a->priv.open = false;
    if (key != NULL) {
        avitoi_anchors_append(a, key);
        return;
    }
    a->priv.low = a->priv.certificate_low;
    a->priv.full = a->priv.was_full; /* what is skipped takes no room */
    if (error == BR_ERR_X509_UNSUPPORTED || error == BR_ERR_X509_LIMIT_EXCEEDED) {
        a->skipped++;
    } else {
        a->priv.failure = AVITO_ERR_OPTION_ANCHORS;
    }
}

/* BearSSL leaves the dashes on when the line ends with CR LF. */
static bool avitoi_anchors_is_certificate(const char *name)
{
    avito_str s = avitoi_text_of(name);
    if (avitoi_text_starts(s, "X509 ")) {
        s.ptr += 5;
        s.len -= 5u;
    }
    return avitoi_text_starts(s, "CERTIFICATE") && (s.len == 11u || s.ptr[11] == '-');
}

/* What the PEM decoder has met: the beginning or the end of an object, or a line that is no PEM. Only
 * certificates are decoded. */
static void avitoi_anchors_event(avito_anchors *a, int event)
{
    const char *name = br_pem_decoder_name(&a->priv.pem);
    switch (event) {
        case BR_PEM_BEGIN_OBJ:
            a->priv.begins--;
            a->priv.open = avitoi_anchors_is_certificate(name);
            a->priv.certificate_low = a->priv.low;
            a->priv.was_full = a->priv.full;
            a->priv.bytes = 0;
            br_x509_decoder_init(&a->priv.x509, avitoi_anchors_on_name, a);
            br_pem_decoder_setdest(&a->priv.pem, a->priv.open ? avitoi_anchors_on_der : NULL, a);
            break;
        case BR_PEM_END_OBJ:
            if (a->priv.open) {
                avitoi_anchors_certificate_end(a);
            }
            break;
        case BR_PEM_ERROR:
            if (a->priv.open) {
                a->priv.failure = AVITO_ERR_OPTION_ANCHORS;
            }
            br_pem_decoder_init(
                &a->priv.pem); /* otherwise bytes of this object would precede the next one's */
            break;
        default:
            break;
    }
}

static bool avitoi_anchors_are_begun(const avito_anchors *a)
{
    return a != NULL && a->priv.memory != NULL;
}

AVITO_API void avito_anchors_begin(avito_anchors *anchors, void *memory, size_t cap)
{
    size_t odd;
    if (anchors == NULL) {
        return;
    }
    memset(anchors, 0, sizeof *anchors);
    br_pem_decoder_init(&anchors->priv.pem);
    anchors->priv.memory = memory != NULL ? (char *)memory : (char *)anchors;
    odd = (size_t)(((uintptr_t)memory + cap) % AVITOI_ANCHORS_ALIGN);
    anchors->priv.high = memory == NULL || cap < odd ? 0 : cap - odd;
    anchors->needed = AVITOI_ANCHORS_ALIGN - 1;
}

/* Counts "-----BEGIN " wherever it is: after a BOM, or an END on the same line, BearSSL skips it. */
static void avitoi_anchors_watch(avito_anchors *a, const char *p, size_t len)
{
    static const char begin[] = "-----BEGIN ";
    for (; len > 0; len--, p++) {
        uint8_t at = a->priv.dashes;
        at = *p == begin[at] ? (uint8_t)(at + 1) : *p != '-' ? 0 : at == 5 ? 5 : 1;
        a->priv.begins += begin[at] == '\0';
        a->priv.dashes = begin[at] == '\0' ? 0 : at;
    }
}

AVITO_API void avito_anchors_add_pem(avito_anchors *anchors, const void *text, size_t len)
{
    const char *bytes = (const char *)text;
    if (!avitoi_anchors_are_begun(anchors)) {
        return;
    }
    if (text == NULL && len > 0) {
        anchors->priv.failure = AVITO_ERR_ARGUMENT;
        return;
    }
    avitoi_anchors_watch(anchors, bytes, len);
    while (len > 0 && anchors->priv.failure == 0) {
        size_t n = br_pem_decoder_push(&anchors->priv.pem, bytes, len);
        avitoi_anchors_event(anchors, br_pem_decoder_event(&anchors->priv.pem));
        bytes += n;
        len -= n;
    }
}

AVITO_API int avito_anchors_end(avito_anchors *anchors)
{
    if (!avitoi_anchors_are_begun(anchors)) {
        return AVITO_ERR_ARGUMENT;
    }
    avito_anchors_add_pem(anchors, "\n", 1); /* the last line may lack it */
    if (anchors->priv.open || anchors->priv.begins != 0) {
        anchors->priv.failure = AVITO_ERR_OPTION_ANCHORS;
    }
    if (anchors->priv.failure == 0 && anchors->priv.full) {
        anchors->priv.failure = AVITO_ERR_ROOM;
    }
    if (anchors->priv.failure == 0 && anchors->count == 0) {
        anchors->priv.failure = AVITO_ERR_OPTION_ANCHORS;
    }
    if (anchors->priv.failure != 0) {
        anchors->count = 0;
        return anchors->priv.failure;
    }
    anchors->items =
        (const br_x509_trust_anchor *)(const void *)(anchors->priv.memory + anchors->priv.high);
    return AVITO_OK;
}

AVITO_API int avito_anchors_load_pem(avito_anchors *anchors, void *memory, size_t cap,
                                     const void *text, size_t len)
{
    avito_anchors_begin(anchors, memory, cap);
    avito_anchors_add_pem(anchors, text, len);
    return avito_anchors_end(anchors);
}

#if AVITO_WITH_POSIX
AVITO_API int avito_anchors_load_file(avito_anchors *anchors, void *memory, size_t cap,
                                      const char *path)
{
    char piece[512];
    ssize_t n = -1;
    uint16_t left = UINT16_MAX; /* 32 MB: the file may be a device that never ends */
    int fd;
    avito_anchors_begin(anchors, memory, cap);
    if (anchors == NULL || path == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    fd = avitoi_posix_open(path);
    while (fd >= 0 && ((n = read(fd, piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR)) && --left > 0) {
        avito_anchors_add_pem(anchors, piece, n > 0 ? (size_t)n : 0);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (n != 0) {
        anchors->priv.failure = AVITO_ERR_OPTION_ANCHORS; /* half of them would look like all */
    }
    return avito_anchors_end(anchors);
}
#endif

#endif /* AVITO_WITH_BEARSSL */

#endif /* AVITO_MESSENGER_IMPLEMENTATION: end of the parts */

/*
 * ======================================================================= *
 * >>92 ON A COMPUTER
 * ======================================================================= *
 *
 * Where there is a system with sockets, files and roots, avito_posix (>>94) is everything in one
 * struct, opened by one call. Whatever its options leave zero comes from the environment. A whole
 * program::
 *
 *     #define AVITO_MESSENGER_IMPLEMENTATION
 *     #define AVITO_WITH_POSIX 1
 *     #define AVITO_WITH_BEARSSL 1
 *     #include "avito_messenger.h"
 *
 *     static avito_posix avito;
 *
 *     int main(int argc, char **argv)
 *     {
 *         int rc = argc == 3 ? avito_posix_sign_in(&avito, NULL) : AVITO_ERR_ARGUMENT;
 *
 *         if (rc == AVITO_OK) {
 *             rc = avito_send_message(&avito.client, avito.self.id, argv[1], argv[2], NULL, NULL);
 *         }
 *         avito_posix_close(&avito);
 *         return avito_posix_perror(&avito, rc);
 *     }
 *
 * What it asks the environment for (not where an option is given, be it ""), and what it does where
 * that is silent, too:
 *
 *     variable             instead of          where it is not set either
 *     -------------------  ------------------  ---------------------------------------------------
 *     AVITO_CLIENT_ID      .account.client_id  OPTION_CREDENTIALS
 *     AVITO_CLIENT_SECRET  .client_secret      OPTION_CREDENTIALS
 *     AVITO_HOST           .account.host       api.avito.ru
 *     AVITO_PORT           .account.port       443
 *     AVITO_CA_FILE        .ca_file            SSL_CERT_FILE; the system's, at seven usual places
 *
 * With .client.never_wait no call waits, and poll() gets avito_tcp_fd(&avito.tcp). getaddrinfo()
 * does wait, so it runs on a thread of its own, which takes no signals and ends with the look-up;
 * the lane says AVITO_AGAIN meanwhile. (glibc before 2.34 and some BSDs: link with -lpthread.) A
 * look-up of yours, by c-ares for instance, is .tcp.resolve: it starts one and says AVITO_AGAIN
 * until it has an answer; .tcp.address does without. A lane that waits looks names up itself.
 *
 * An inbox takes its memory from the struct, too: avito_posix_inbox_options().
 *
 * Files. With .folder the store (>>93) keeps what has to outlive the program:
 *
 *     file             holds                            written                      locked
 *     ---------------  -------------------------------  ---------------------------  ------------
 *     tokens           both tokens, client id, host     with each new token          for a moment
 *     inbox.0 .1       the inbox's two slots in turn     as >>51 says                 by its owner
 *     send.KEY         one message that is sent once    when it begins, and ends     for a moment
 *     lock             nothing                          never                        the moments
 *     inbox.lock       process and name of the owner    when an inbox is opened      for its life
 *
 *   Promise. Killed, or without power, at any moment: each file holds what it held before or after
 *   the call that was under way, whole; what a call has said AVITO_OK to is there. It needs what
 *   POSIX says of rename() and fsync(), and a disk that does not lie.
 *
 * Programs with the same credentials share a token by sharing the folder: one that is about to
 * renew looks first whether another has. Two that renew at the same moment get one each, and both
 * use the one stored last from then on. A refresh token is good once: one of the two may get
 * REFRESH_TOKEN, and finds the other's pair at its next call. Tokens are given only for the client
 * id and host that they were stored for. One inbox per folder: a second one ends in HOOK (of
 * avito_store_take_inbox(): BUSY), and avito_store_problem() names the process that has it.
 *
 * avito_send_once() sends under a key of yours at most once, whatever happens to the program:
 *
 *     key is       note says                  so
 *     -----------  -------------------------  ----------------------------------------------------
 *     new          -                          baseline read; begun, on the disk; sent; settled
 *     begun        it may have left           the chat is read back until .grace_s is over
 *     settled      AVITO_SENT                 AVITO_END: not again
 *     settled      AVITO_CANNOT_TELL          AVITO_END: not again, since not seen is no proof
 *     free again   it was AVITO_NOT_SENT      as new
 *
 * avito_store_last_send() has the id of what was sent. A picture: avito_send_image_once(). A bot
 * that takes the chat's id as the key answers each buyer once; the 256 sends settled last are
 * remembered. With lanes that never wait, avito_store_begin_send(), avito_confirm_sent() and
 * avito_store_end_send() are the same in your own steps.
 */
#ifndef AVITO_MESSENGER_COMPUTER_H
#define AVITO_MESSENGER_COMPUTER_H

#ifdef __cplusplus
extern "C" {
#endif

/* ======================================================================= *
 * >>93 FILE STORE (AVITO_WITH_FILES)
 * ======================================================================= *
 *
 * A folder with what has to outlive the program: the tokens, the inbox's state, and what was sent, by a
 * key of yours. Every file is written whole, beside the old one, and takes its place when it is on the
 * disk: after a crash or a power cut each holds what it held before or after, and after AVITO_OK what
 * it holds now. Files are 0600, a folder that is made 0700. Several programs may use one folder: what
 * is written for a moment is locked for a moment, the inbox as long as its owner lives.
 *
 * One thread at a time uses a store; the folder may be opened more than once. Functions that fail say
 * AVITO_ERR_FILE, or AVITO_ERR_BUSY where another program is in the way, and avito_store_problem()
 * has the rest. Manual: >>92.
 */
#if AVITO_WITH_FILES

#define AVITO_STORE_KEY_MAX 64u   /* bytes of a key */
#define AVITO_STORE_ID_CAP  256u  /* ids have up to 255 bytes */
#define AVITO_STORE_SENDS   256u  /* settled sends that are remembered: the oldest is forgotten */

typedef struct avito_store_options {
    const char *folder;    /* made if it is missing; its parent must exist */
    const char *client_id; /* whose tokens: what was stored for another is not given; NULL: anybody's */
    const char *host;      /* ... and for which service */
    const char *program;   /* optional: your name, for a program that finds the inbox taken */
    uint32_t grace_s;      /* avito_send_once(): how late a message may show up; 0: 60 */
} avito_store_options;

/* A message that is sent at most once: by its key, which is yours (a command's id, or a chat's). */
typedef struct avito_store_send {
    char key[AVITO_STORE_KEY_MAX + 1u];
    char chat_id[AVITO_STORE_ID_CAP];
    char baseline_id[AVITO_STORE_ID_CAP]; /* newest message of the chat before; "": none */
    int64_t baseline_created;
    char text[4u * AVITO_TEXT_MAX + 1u];  /* "": an image */
    char message_id[AVITO_STORE_ID_CAP];  /* what became of it, if that is known */
    int64_t begun;                        /* unix seconds */
    int64_t ended;                        /* 0: it may have left, and was not looked for since */
    avito_outcome outcome;                /* CANNOT_TELL until it ended */
} avito_store_send;

#define AVITOI_STORE_CLAIMED 16

typedef struct avito_store {
    avito_store_options o;
    struct {
        int folder, lock, inbox; /* descriptors; -1: none */
        int error;               /* errno of it */
        int result;              /* what the last call failed with; else AVITO_OK */
        char problem[256];
        char name[222];          /* of the file in work */
        char fresh[230];         /* where it is written first */
        char text[8192];         /* what is in it */
        avito_store_send send;   /* in work */
        avito_store_send once;   /* what avito_send_once() is about */
        char claimed[AVITOI_STORE_CLAIMED][AVITO_STORE_ID_CAP]; /* messages of other keys */
    } priv;
} avito_store;

AVITO_API avito_store_options avito_store_options_default(void);

/* AVITO_OK, ARGUMENT (folder), FILE. Copies the options, not their texts. */
AVITO_API int avito_store_open(avito_store *store, const avito_store_options *options);

/* Lets go of the inbox, too. */
AVITO_API void avito_store_close(avito_store *store);

/* What the last call on the store failed with, and where: "state/tokens: cannot be written: No space left on
 * device"; "" if it did not fail. Good until the next call on the store. */
AVITO_API const char *avito_store_problem(const avito_store *store);

/* errno of it, or 0. */
AVITO_API int avito_store_errno(const avito_store *store);

/* Hooks for avito_account_options; `ctx` is the store. The token's strings lie in the store until the
 * next call on it. What cannot be understood counts as nothing stored. */
AVITO_API int avito_store_load_token(void *ctx, avito_token *token);
AVITO_API int avito_store_save_token(void *ctx, const avito_token *token);

/* Hooks for avito_inbox_options; `ctx` is the store. The first of them makes the inbox this store's,
 * until avito_store_close(): BUSY if it is another's: avito_store_problem() says whose. */
AVITO_API int avito_store_load_inbox(void *ctx, int slot, void *data, size_t cap, size_t *len);
AVITO_API int avito_store_save_inbox(void *ctx, int slot, const void *data, size_t len);

/* Takes the inbox before it is opened. AVITO_OK, BUSY, FILE. */
AVITO_API int avito_store_take_inbox(avito_store *store);

/* Notes durably that `send` (key, chat_id, baseline, text) is about to leave. AVITO_OK: it was not begun
 * before: send it now. AVITO_END: it was; avito_store_find_send() tells what became of it, do not send
 * it. ARGUMENT, FILE, BUSY; ROOM: AVITO_STORE_SENDS sends are not settled yet. */
AVITO_API int avito_store_begin_send(avito_store *store, const avito_store_send *send);

/* What became of it; `message_id` may be NULL. With AVITO_NOT_SENT the key is free again. AVITO_OK,
 * AVITO_END: no such key; ARGUMENT, FILE, BUSY. */
AVITO_API int avito_store_end_send(avito_store *store, const char *key, avito_outcome outcome,
                                   const char *message_id);

/* AVITO_OK, AVITO_END: nothing is known of this key; ARGUMENT, FILE. A file that cannot be understood is
 * a send that ended in AVITO_CANNOT_TELL. */
AVITO_API int avito_store_find_send(avito_store *store, const char *key, avito_store_send *out);

/* Frees the key, whatever became of it. AVITO_OK, also if there was none; ARGUMENT, FILE, BUSY. */
AVITO_API int avito_store_forget_send(avito_store *store, const char *key);

/* Calls visit() for all sends, in no order, until it returns something other than AVITO_OK, which is the
 * result then; `send` is good during the call, which may use the store for this key, and begins a send with
 * a copy of it. AVITO_OK, FILE. */
AVITO_API int avito_store_each_send(avito_store *store,
                                    int (*visit)(void *ctx, const avito_store_send *send), void *ctx);

/* ---- a message that is sent at most once ---- */

/* Sends `text` unless that was done, or begun, under this key before: by this program, by one that was
 * killed meanwhile, or by another one with the same folder. What was begun and not settled is settled
 * first, by reading the chat back until the message is there or .grace_s is over, and waiting in
 * between. What another key has is not taken for it; where more than 16 such messages are newer than the
 * baseline, it is not known which is whose. For a lane that waits (else ARGUMENT); with .never_wait use
 * the functions above.
 *
 *     AVITO_OK     it is sent: now, or, as it shows, before; with .dry_run it is not, and the key stays free
 *     AVITO_END    the key was settled before, or could not be settled: nothing was sent now, and
 *                  *outcome says what is known. AVITO_CANNOT_TELL stays so: no message was seen in time,
 *                  which is no proof, so it is not sent again. Look into the chat, or forget the key
 *     an error     *outcome is AVITO_NOT_SENT, and the key free; or AVITO_CANNOT_TELL, or AVITO_SENT
 *                  and only the note of it failed: call again with this key, which settles it
 *
 * Messages are read into `arena`, whose `used` is the same afterwards. With AVITO_TINY: avito_enable_sent(),
 * or OPTION_SENT. */
AVITO_API int avito_send_once(avito_client *client, avito_store *store, int64_t user_id,
                              const char *chat_id, const char *key, const char *text,
                              avito_arena *arena, avito_outcome *outcome);

/* The same with a picture: `image_id` from avito_upload_image(). The note has no text. One that may have
 * left counts as sent if the chat has a picture of the account since then that no other key has. */
AVITO_API int avito_send_image_once(avito_client *client, avito_store *store, int64_t user_id,
                                    const char *chat_id, const char *key, const char *image_id,
                                    avito_arena *arena, avito_outcome *outcome);

/* What the last of these two was about: .message_id of what was sent ("" if that is not known), .ended,
 * .outcome. Good until the next of them. NULL: there was none. */
AVITO_API const avito_store_send *avito_store_last_send(const avito_store *store);

/* ---- a picture from a path ---- */

typedef struct avito_image_file {
    avito_image_source source; /* for avito_upload_image(); read in pieces, never whole */
    struct {
        int fd;
        char name[96];
    } priv;
} avito_image_file;

/* Opens a picture: its type from its first bytes, its name from the end of the path (a byte that is not
 * UTF-8 becomes "?"; if nothing is left, the default name). Set .source.progress if you like. AVITO_OK;
 * FILE: it cannot be read, errno says why; TOO_LARGE: over AVITO_IMAGE_MAX; ARGUMENT: none of JPEG, HEIC,
 * GIF, BMP, PNG. Close it when the upload is over; it must not move before. */
AVITO_API int avito_image_from_file(avito_image_file *image, const char *path);
AVITO_API void avito_image_file_close(avito_image_file *image);

#endif /* AVITO_WITH_FILES */

/* ======================================================================= *
 * >>94 EVERYTHING IN ONE STRUCT (AVITO_WITH_FILES and AVITO_WITH_BEARSSL)
 * ======================================================================= *
 *
 * For programs on a computer: the system's roots, TCP, TLS, account, lane, arena and all their buffers,
 * opened by one call. It is made of the public parts above, which stay reachable: call
 * avito_get_chats(&avito.client, ...) and whatever else there is. A second lane of the account is
 * avito_tcp_init(), avito_tls_init() with the same .anchors, and avito_client_init(&lane,
 * &avito.account, ...). Manual: >>92.
 */
#if AVITO_WITH_FILES && AVITO_WITH_BEARSSL

#define AVITO_POSIX_ROOTS_CAP 131072u /* Debian's 144 roots take 71140 */
#define AVITO_POSIX_ARENA_CAP 65536u  /* twice: for your calls, and for an inbox */
#define AVITO_POSIX_INBOX_IDS 1024u   /* that an inbox tells apart */
#define AVITO_POSIX_INBOX_CHATS 1024u /* of which it knows whether they moved */
#define AVITO_POSIX_TOKEN_MAX 1024u   /* longest token; Avito's have 40 bytes */

/* Zero means the default in every member, or the environment's value where there is one. Nothing is borrowed
 * except what hooks, .anchors and .client point to. */
typedef struct avito_posix_options {
    /* .client_id, .client_secret, .host, .port: else AVITO_CLIENT_ID, AVITO_CLIENT_SECRET, AVITO_HOST,
     * AVITO_PORT. Hooks that you give are called with your .ctx; with .folder, load_token and
     * save_token are the store's. */
    avito_account_options account;
    /* .never_wait chooses the kind. .transport and .window are the struct's own. */
    avito_client_options client;
    /* .address, .resolve. Without either a lane that may not wait has names looked up on a thread of
     * its own, which ends with the look-up: when it is opened, and before a connect if the last one
     * failed or was over a minute ago. */
    avito_tcp_options tcp;
    const char *ca_file;          /* PEM; else AVITO_CA_FILE, SSL_CERT_FILE, the system's */
    const avito_anchors *anchors; /* of another struct: then no file is read */
    const char *folder;           /* what to keep there: the store's, >>93; NULL: nothing is kept */
    const char *program;          /* your name, for the store; NULL, or over 63 bytes: none */
    uint32_t grace_s;             /* the store's; 0: 60 */
    bool by_consent;              /* the account is another person's: avito_account_by_consent() */
    bool fresh_token;             /* what is stored in .folder is not used, and replaced: for a login */
    /* For programs that only read: a .folder that cannot be opened or written is no error, tokens are
     * not kept then. avito_store_problem(&avito.store) says why. Without effect with .by_consent, whose
     * refresh token must not be lost, and on inboxes and sends. */
    bool folder_may_fail;
} avito_posix_options;

typedef struct avito_posix {
    avito_account account;
    avito_client client;
    avito_arena arena;   /* for your calls; never used by an inbox */
    avito_self self;     /* after avito_posix_sign_in() */
    avito_store store;   /* open if there is a .folder */
    avito_anchors anchors;
    avito_tcp tcp;
    avito_tls tls;
    struct { /* private */
        avito_account_options hooks;    /* as they were given */
        avito_tcp_address addresses[AVITO_TCP_ADDRESSES];
        uint32_t looked_up_ms;          /* when they were asked for */
        uint32_t asked_ms;              /* when the look-up began */
        int look_up;                    /* where its answer comes; -1: none is going on */
        int noted;                      /* the result that `note` is about */
        uint8_t count;                  /* of addresses */
        bool open;
        bool asked;                     /* this connect has begun a look-up */
        bool fresh, may_fail;           /* .fresh_token, until there is one; .folder_may_fail */
        char client_id[256], client_secret[256], host[256];
        char folder[4096], program[64], address[64];
        char note[507];
        char ahead[1024], window[4096];
        char tokens[AVITO_TOKENS_SIZE(AVITO_POSIX_TOKEN_MAX)];
        unsigned char records[AVITO_TLS_BUFFER_FULL(16384)];
        avito_arena inbox_arena;
        char inbox_state[AVITO_INBOX_STATE_SIZE(AVITO_POSIX_INBOX_IDS)];
        char inbox_chats[AVITO_INBOX_CHATS_SIZE(AVITO_POSIX_INBOX_CHATS)];
        char inbox_room[AVITO_POSIX_ARENA_CAP];
        char room[AVITO_POSIX_ARENA_CAP];
        char roots[AVITO_POSIX_ROOTS_CAP];
    } priv;
} avito_posix;

AVITO_API avito_posix_options avito_posix_options_default(void);

/* The file of roots that it reads, for avito_anchors_load_file() of a program that opens the parts itself:
 * `ca_file` if it is not NULL, else AVITO_CA_FILE, SSL_CERT_FILE, the system's. NULL: none is named, and the
 * system has none where others do. One that is named need not be there. Not to be freed: it is `ca_file`
 * itself, a constant, or a value of the environment, good until that changes. */
AVITO_API const char *avito_posix_ca_file(const char *ca_file);

/* Opens all parts; sends nothing: the first call connects. `options` may be NULL: everything from the
 * environment. AVITO_OK; OPTION_CREDENTIALS, OPTION_HOST, OPTION_ANCHORS, ROOM (roots), FILE (folder),
 * ARGUMENT (port, an empty folder): avito_posix_strerror() says what is missing and what to do. The struct is
 * large (>>5): best static. It must not move. */
AVITO_API int avito_posix_open(avito_posix *avito, const avito_posix_options *options);

/* The same, and asks whose account it is, which every call needs: avito->self, .id first of all. Its
 * strings are in avito->arena until that is reset. For a lane that waits, else ARGUMENT. As
 * avito_posix_open() and avito_get_self(). */
AVITO_API int avito_posix_sign_in(avito_posix *avito, const avito_posix_options *options);

/* Closes the connection and the folder. Does no harm after a failed open, or twice. */
AVITO_API void avito_posix_close(avito_posix *avito);

/* Options for one inbox: memory of the struct and, if there is a .folder, the store's hooks. Change what you
 * like, then call avito_inbox_init(&inbox, &avito.client, &options). */
AVITO_API avito_inbox_options avito_posix_inbox_options(avito_posix *avito, int64_t user_id);

/* A result in one line for people: what happened, what to do, what the server or the folder said.
 * Good until the next call of it. Never NULL; no secrets; strangers' control characters are blanks. */
AVITO_API const char *avito_posix_strerror(avito_posix *avito, int result);

/* Writes that line to standard error if `result` is an error. 1 if it is, else 0: what main() returns. */
AVITO_API int avito_posix_perror(avito_posix *avito, int result);

#endif /* AVITO_WITH_FILES && AVITO_WITH_BEARSSL */

#ifdef __cplusplus
}
#endif

#endif /* AVITO_MESSENGER_COMPUTER_H: end of the interface */

#if defined(AVITO_MESSENGER_IMPLEMENTATION) && !defined(AVITO_MESSENGER_COMPUTER_IMPLEMENTED)
#define AVITO_MESSENGER_COMPUTER_IMPLEMENTED

/* ======================================================================= *
 * >>95 FILE STORE
 * ======================================================================= *
 *
 * What must hold. A file takes its name by rename(), after its bytes are on the disk; the folder is
 * written after that: so a name leads to the old bytes or to all of the new ones, at any moment. Only
 * one writes a file at a time, because it is written under one name first: under the lock "lock", or,
 * of the inbox's slots, as the owner of "inbox.lock". Reading needs no lock.
 *
 *     tokens        lines of text     inbox.0, inbox.1   as the inbox gave them
 *     send.KEY      lines of text; bytes other than small letters and digits percent-encoded
 *     *.new         what was being written; after a crash the next writer starts it over
 *
 * Comes in: tokens and the inbox's slots. Goes out: files, or the system's error. May not leave a file
 * half written under its name.
 */
#if AVITO_WITH_FILES

#include <dirent.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define AVITOI_STORE_LOCK_MS 5000 /* another program holds the lock for moments */
#define AVITOI_STORE_TURN_MS 10

/* Is it open? */
static bool avitoi_store_is_ready(const avito_store *s)
{
    return s != NULL && s->o.folder != NULL;
}

/* A call on the store begins, and the failure of the last one is forgotten. False: the store is not open. */
static bool avitoi_store_enter(avito_store *s)
{
    if (!avitoi_store_is_ready(s)) {
        return false;
    }
    s->priv.error = 0;
    s->priv.result = AVITO_OK;
    s->priv.problem[0] = '\0';
    return true;
}

/* Notes for people what could not be done with which file. */
static int avitoi_store_failed(avito_store *s, const char *name, const char *what)
{
    struct avitoi_writer w;
    s->priv.error = errno;
    s->priv.result = AVITO_ERR_FILE;
    memset(&w, 0, sizeof w);
    w.out = s->priv.problem;
    w.cap = sizeof s->priv.problem - 1u;
    avitoi_write_text(&w, s->o.folder);
    if (name[0] != '\0') {
        avitoi_write_text(&w, "/");
        avitoi_write_text(&w, name);
    }
    avitoi_write_text(&w, ": ");
    avitoi_write_text(&w, what);
    if (s->priv.error != 0) {
        avitoi_write_text(&w, ": ");
        avitoi_write_text(&w, strerror(s->priv.error));
    }
    s->priv.problem[w.len] = '\0';
    return AVITO_ERR_FILE;
}

static int avitoi_store_busy(avito_store *s, const char *name, const char *what)
{
    errno = 0;
    (void)avitoi_store_failed(s, name, what);
    s->priv.result = AVITO_ERR_BUSY;
    return AVITO_ERR_BUSY;
}

static int avitoi_store_open_at(int folder, const char *name, int flags)
{
    int fd;
#ifdef O_CLOEXEC
    flags |= O_CLOEXEC;
#endif
    do {
        fd = openat(folder, name, flags, 0600);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* Writes all of it, or returns false. */
static bool avitoi_store_put(int fd, const char *data, size_t len)
{
    while (len > 0) {
        const ssize_t n = write(fd, data, len);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return true;
}

/* Reads up to `cap` bytes; -1: errno says why. */
static long avitoi_store_get(int fd, char *data, size_t cap)
{
    size_t len = 0;
    while (len < cap) {
        const ssize_t n = read(fd, data + len, cap - len);
        if (n == 0) {
            break;
        }
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        len += n > 0 ? (size_t)n : 0u;
    }
    return (long)len;
}

/* Waits until what was written is on the disk, and not only on its way. */
static bool avitoi_store_sync(int fd)
{
    int rc;
    do {
#if defined(F_FULLFSYNC)
        rc = fcntl(fd, F_FULLFSYNC);
        if (rc < 0 && errno != EINTR) {
            rc = fsync(fd); /* a file system that does not know it */
        }
#else
        rc = fsync(fd);
#endif
    } while (rc < 0 && errno == EINTR);
    return rc == 0;
}

/* Waits until the folder's names are on the disk. Some file systems write them at once, and say EINVAL. */
static bool avitoi_store_sync_names(int folder)
{
    return avitoi_store_sync(folder) || errno == EINVAL;
}

/* Writes a file. At any moment its name leads to the old one or the new one, whole. */
static int avitoi_store_write(avito_store *s, const char *name, const void *data, size_t len)
{
    struct avitoi_writer w;
    int fd;
    bool good;
    memset(&w, 0, sizeof w);
    w.out = s->priv.fresh;
    w.cap = sizeof s->priv.fresh - 1u;
    avitoi_write_text(&w, name);
    avitoi_write_text(&w, ".new");
    s->priv.fresh[w.len] = '\0';
    fd = avitoi_store_open_at(s->priv.folder, s->priv.fresh,
                              O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
    if (fd < 0) {
        return avitoi_store_failed(s, s->priv.fresh, "cannot be made");
    }
    good = avitoi_store_put(fd, (const char *)data, len) && avitoi_store_sync(fd);
    if (!good) {
        (void)avitoi_store_failed(s, name, "cannot be written");
        (void)close(fd);
        (void)unlinkat(s->priv.folder, s->priv.fresh, 0);
        return AVITO_ERR_FILE;
    }
    if (close(fd) != 0 || renameat(s->priv.folder, s->priv.fresh, s->priv.folder, name) != 0 ||
        !avitoi_store_sync_names(s->priv.folder)) {
        return avitoi_store_failed(s, name, "cannot be put in place");
    }
    return AVITO_OK;
}

/* Reads a file. AVITO_END: there is none. *len over `cap`: it is larger. */
static int avitoi_store_read(avito_store *s, const char *name, void *data, size_t cap, size_t *len)
{
    const int fd = avitoi_store_open_at(s->priv.folder, name, O_RDONLY | O_NOFOLLOW);
    struct stat info;
    long n;
    *len = 0;
    if (fd < 0) {
        return errno == ENOENT ? (int)AVITO_END : avitoi_store_failed(s, name, "cannot be opened");
    }
    n = avitoi_store_get(fd, (char *)data, cap);
    if (n < 0 || fstat(fd, &info) != 0) {
        const int rc = avitoi_store_failed(s, name, "cannot be read");
        (void)close(fd);
        return rc;
    }
    (void)close(fd);
    *len = info.st_size > (off_t)n ? cap + 1u : (size_t)n;
    return AVITO_OK;
}

/* ---- locks ---- */

/* A lock is held by an open descriptor: the kernel releases it when the process dies. */
static bool avitoi_store_flock(int fd)
{
    int rc;
    do {
        rc = flock(fd, LOCK_EX | LOCK_NB);
    } while (rc != 0 && errno == EINTR);
    return rc == 0;
}

/* Takes the lock that is held while something is written. */
static int avitoi_store_lock(avito_store *s)
{
    const uint32_t began = avito_posix_clock_ms(NULL);
    while (!avitoi_store_flock(s->priv.lock)) {
        if (errno != EWOULDBLOCK) {
            return avitoi_store_failed(s, "lock", "cannot be locked");
        }
        if (avito_posix_clock_ms(NULL) - began >= AVITOI_STORE_LOCK_MS) {
            return avitoi_store_busy(s, "lock", "another program has held this for 5 seconds");
        }
        (void)poll(NULL, 0, AVITOI_STORE_TURN_MS);
    }
    return AVITO_OK;
}

static void avitoi_store_unlock(avito_store *s)
{
    (void)flock(s->priv.lock, LOCK_UN);
}

/* Writes "1234 name" into the lock's file, for the program that comes second. */
static void avitoi_store_sign(avito_store *s)
{
    struct avitoi_writer w;
    memset(&w, 0, sizeof w);
    w.out = s->priv.text;
    w.cap = 128;
    avitoi_write_int(&w, (int64_t)getpid());
    if (s->o.program != NULL) {
        avitoi_write_text(&w, " ");
        avitoi_write_text(&w, s->o.program);
    }
    if (ftruncate(s->priv.inbox, 0) == 0) {
        (void)avitoi_store_put(s->priv.inbox, s->priv.text, w.len);
    }
}

/* The inbox is another program's: its lock says whose, unless it was taken only just now. */
static int avitoi_store_is_taken(avito_store *s, int fd)
{
    static const char taken[] = "the inbox is in use by process ";
    const long n = avitoi_store_get(fd, s->priv.text + sizeof taken - 1u, 128);
    if (n <= 0) {
        return avitoi_store_busy(s, "", "the inbox is in use by another program");
    }
    memcpy(s->priv.text, taken, sizeof taken - 1u);
    s->priv.text[sizeof taken - 1u + (size_t)n] = '\0';
    return avitoi_store_busy(s, "", s->priv.text);
}

AVITO_API int avito_store_take_inbox(avito_store *store)
{
    int fd, rc;
    if (!avitoi_store_enter(store)) {
        return AVITO_ERR_ARGUMENT;
    }
    if (store->priv.inbox >= 0) {
        return AVITO_OK;
    }
    fd = avitoi_store_open_at(store->priv.folder, "inbox.lock", O_RDWR | O_CREAT | O_NOFOLLOW);
    if (fd < 0) {
        return avitoi_store_failed(store, "inbox.lock", "cannot be made");
    }
    if (avitoi_store_flock(fd)) {
        store->priv.inbox = fd;
        avitoi_store_sign(store);
        return AVITO_OK;
    }
    rc = errno == EWOULDBLOCK ? avitoi_store_is_taken(store, fd)
                              : avitoi_store_failed(store, "inbox.lock", "cannot be locked");
    (void)close(fd);
    return rc;
}

/* ---- opening ---- */

AVITO_API avito_store_options avito_store_options_default(void)
{
    avito_store_options options = AVITOI_ZERO;
    return options;
}

/* A folder that is new must not be lost with what is in it. */
static bool avitoi_store_make(const char *folder)
{
    int fd, above;
    bool good;
    if (mkdir(folder, 0700) != 0) {
        return errno == EEXIST;
    }
    fd = avitoi_posix_open(folder);
    above = fd >= 0 ? avitoi_store_open_at(fd, "..", O_RDONLY) : -1;
    good = above >= 0 && avitoi_store_sync_names(above);
    if (above >= 0) {
        (void)close(above);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return good;
}

static void avitoi_store_drop(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

static int avitoi_store_open(avito_store *s)
{
    if (!avitoi_store_make(s->o.folder)) {
        return avitoi_store_failed(s, "", "cannot be made");
    }
    s->priv.folder = avitoi_store_open_at(AT_FDCWD, s->o.folder, O_RDONLY | O_DIRECTORY);
    if (s->priv.folder < 0) {
        return avitoi_store_failed(s, "", "cannot be opened");
    }
    s->priv.lock = avitoi_store_open_at(s->priv.folder, "lock", O_RDWR | O_CREAT | O_NOFOLLOW);
    if (s->priv.lock < 0 && errno == EROFS) { /* what is there can be read all the same */
        s->priv.lock = avitoi_store_open_at(s->priv.folder, "lock", O_RDONLY | O_NOFOLLOW);
    }
    return s->priv.lock < 0 ? avitoi_store_failed(s, "lock", "cannot be made") : (int)AVITO_OK;
}

AVITO_API int avito_store_open(avito_store *store, const avito_store_options *options)
{
    int rc;
    if (store == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    memset(store, 0, sizeof *store);
    store->priv.folder = store->priv.lock = store->priv.inbox = -1;
    if (options == NULL || options->folder == NULL || options->folder[0] == '\0') {
        return AVITO_ERR_ARGUMENT;
    }
    store->o = *options;
    store->o.client_id = options->client_id != NULL ? options->client_id : "";
    store->o.host = options->host != NULL ? options->host : "";
    store->o.grace_s = options->grace_s != 0 ? options->grace_s : 60u;
    rc = avitoi_store_open(store);
    if (rc != AVITO_OK) {
        avito_store_close(store);
    }
    return rc;
}

AVITO_API void avito_store_close(avito_store *store)
{
    if (!avitoi_store_is_ready(store)) {
        return;
    }
    avitoi_store_drop(&store->priv.inbox);
    avitoi_store_drop(&store->priv.lock);
    avitoi_store_drop(&store->priv.folder);
    store->o.folder = NULL;
}

AVITO_API const char *avito_store_problem(const avito_store *store)
{
    return store != NULL ? store->priv.problem : "";
}

AVITO_API int avito_store_errno(const avito_store *store)
{
    return store != NULL ? store->priv.error : 0;
}

/* ---- lines of text ---- */

static void avitoi_store_line(struct avitoi_writer *w, const char *name, const char *value)
{
    avitoi_write_text(w, name);
    avitoi_write_char(w, ' ');
    avitoi_write_text(w, value);
    avitoi_write(w, "\n", 1);
}

static void avitoi_store_number(struct avitoi_writer *w, const char *name, int64_t value)
{
    avitoi_write_text(w, name);
    avitoi_write_char(w, ' ');
    avitoi_write_int(w, value);
    avitoi_write(w, "\n", 1);
}

static void avitoi_store_begin(avito_store *s, struct avitoi_writer *w)
{
    memset(w, 0, sizeof *w);
    w->out = s->priv.text;
    w->cap = sizeof s->priv.text;
}

/* The next line if it is `name`; its value becomes a string in place. */
static char *avitoi_store_value(char **at, const char *name)
{
    const size_t len = strlen(name);
    char *value = *at;
    char *end = strchr(value, '\n');
    if (end == NULL || strncmp(value, name, len) != 0 || value[len] != ' ') {
        return NULL;
    }
    *end = '\0';
    *at = end + 1;
    return value + len + 1;
}

static bool avitoi_store_int(char **at, const char *name, int64_t *out)
{
    const char *value = avitoi_store_value(at, name);
    return value != NULL && avitoi_number_parse_int(value, strlen(value), out);
}

/* A number that is not negative: a time of ours, a length. */
static bool avitoi_store_natural(char **at, const char *name, int64_t *out)
{
    return avitoi_store_int(at, name, out) && *out >= 0;
}

/* Reads a file of text into the store. AVITO_OK, AVITO_END, FILE; larger than any of ours: OK and "". */
static int avitoi_store_text(avito_store *s, const char *name)
{
    size_t len;
    const int rc = avitoi_store_read(s, name, s->priv.text, sizeof s->priv.text - 1u, &len);
    s->priv.text[len < sizeof s->priv.text ? len : 0u] = '\0';
    return rc;
}

/* ---- tokens ---- */

static bool avitoi_store_is(char **at, const char *name, const char *wanted)
{
    const char *value = avitoi_store_value(at, name);
    return value != NULL && (wanted[0] == '\0' || strcmp(value, wanted) == 0);
}

static bool avitoi_store_str(char **at, const char *name, avito_str *out)
{
    const char *value = avitoi_store_value(at, name);
    out->len = value != NULL ? strlen(value) : 0u;
    out->ptr = out->len > 0 ? value : NULL;
    return value != NULL;
}

AVITO_API int avito_store_load_token(void *ctx, avito_token *token)
{
    avito_store *s = (avito_store *)ctx;
    char *at;
    int rc;
    if (!avitoi_store_enter(s) || token == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    at = s->priv.text;
    rc = avitoi_store_text(s, "tokens");
    memset(token, 0, sizeof *token);
    if (rc != AVITO_OK) {
        return rc;
    }
    if (!avitoi_store_is(&at, "avito-tokens", "1") ||
        !avitoi_store_is(&at, "client", s->o.client_id) ||
        !avitoi_store_is(&at, "host", s->o.host) ||
        !avitoi_store_int(&at, "expires", &token->expires_at) ||
        !avitoi_store_str(&at, "access", &token->access_token) ||
        !avitoi_store_str(&at, "refresh", &token->refresh_token)) {
        return AVITO_END;
    }
    return strcmp(at, "end\n") == 0 ? (int)AVITO_OK : (int)AVITO_END;
}

/* A value with a line end in it would be read back as another one. */
static bool avitoi_store_has_lines(const char *text, size_t len, size_t wanted)
{
    size_t i;
    for (i = 0; i < len; i++) {
        wanted -= text[i] == '\n';
    }
    return wanted == 0;
}

AVITO_API int avito_store_save_token(void *ctx, const avito_token *token)
{
    avito_store *s = (avito_store *)ctx;
    struct avitoi_writer w;
    int rc;
    if (!avitoi_store_enter(s) || token == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    avitoi_store_begin(s, &w);
    avitoi_store_line(&w, "avito-tokens", "1");
    avitoi_store_line(&w, "client", s->o.client_id);
    avitoi_store_line(&w, "host", s->o.host);
    avitoi_store_number(&w, "expires", token->expires_at);
    avitoi_store_line(&w, "access", token->access_token.ptr != NULL ? token->access_token.ptr : "");
    avitoi_store_line(&w, "refresh",
                      token->refresh_token.ptr != NULL ? token->refresh_token.ptr : "");
    avitoi_write_text(&w, "end\n");
    if (w.total >= sizeof s->priv.text || !avitoi_store_has_lines(s->priv.text, w.len, 7)) {
        errno = 0;
        return avitoi_store_failed(s, "tokens", "the tokens are too long to store, or hold a line end");
    }
    rc = avitoi_store_lock(s);
    if (rc == AVITO_OK) {
        rc = avitoi_store_write(s, "tokens", s->priv.text, w.len);
        avitoi_store_unlock(s);
    }
    return rc;
}

/* ---- the inbox ---- */

static const char *avitoi_store_slot(int slot)
{
    return slot == 0 ? "inbox.0" : "inbox.1";
}

AVITO_API int avito_store_load_inbox(void *ctx, int slot, void *data, size_t cap, size_t *len)
{
    avito_store *s = (avito_store *)ctx;
    const int rc = data != NULL && len != NULL ? avito_store_take_inbox(s) : (int)AVITO_ERR_ARGUMENT;
    if (len != NULL) {
        *len = 0;
    }
    return rc != AVITO_OK ? rc : avitoi_store_read(s, avitoi_store_slot(slot), data, cap, len);
}

AVITO_API int avito_store_save_inbox(void *ctx, int slot, const void *data, size_t len)
{
    avito_store *s = (avito_store *)ctx;
    const int rc = data != NULL ? avito_store_take_inbox(s) : (int)AVITO_ERR_ARGUMENT;
    return rc != AVITO_OK ? rc : avitoi_store_write(s, avitoi_store_slot(slot), data, len);
}

#endif /* AVITO_WITH_FILES */

/* ======================================================================= *
 * >>96 STORED SENDS AND PICTURES
 * ======================================================================= *
 *
 * Messages that are sent once, each in a file of its own until it is settled; and pictures, read from
 * their file piece by piece. Comes in: a key and a text; a path. Goes out: what is known of the send; an
 * upload's source. May not send twice under one key.
 */
#if AVITO_WITH_FILES

/* ---- sends ---- */

#define AVITOI_STORE_SEND "send." /* a send's file begins so */

/* A string in an array, of which at least one byte is there if `needed`, and none that ends a line. */
static bool avitoi_store_fits(const char *value, size_t cap, bool needed)
{
    size_t i;
    for (i = 0; i < cap && value[i] != '\0'; i++) {
        if (avitoi_text_byte(value[i]) < ' ') {
            return false;
        }
    }
    return i < cap && (i > 0 || !needed);
}

/* Capital letters are encoded, too: a file system may take them for small ones. */
static void avitoi_store_write_key(struct avitoi_writer *w, const char *key)
{
    for (; *key != '\0'; key++) {
        const bool plain = (*key >= 'a' && *key <= 'z') || (*key >= '0' && *key <= '9') ||
                           *key == '-' || *key == '_';
        if (plain) {
            avitoi_write(w, key, 1);
        } else {
            avitoi_write_char(w, '%');
            avitoi_write_hex(w, avitoi_text_byte(*key));
        }
    }
}

/* The name of the key's file goes to priv.name. */
static bool avitoi_store_key(avito_store *s, const char *key)
{
    struct avitoi_writer w;
    if (key == NULL || key[0] == '\0' || strlen(key) > AVITO_STORE_KEY_MAX) {
        return false;
    }
    memset(&w, 0, sizeof w);
    w.out = s->priv.name;
    w.cap = sizeof s->priv.name - 1u;
    avitoi_write_text(&w, AVITOI_STORE_SEND);
    avitoi_store_write_key(&w, key);
    s->priv.name[w.len] = '\0';
    return true;
}

/* The key of a file's name. False: it is no send's file. */
static bool avitoi_store_key_of(const char *name, char key[AVITO_STORE_KEY_MAX + 1u])
{
    size_t len = 0;
    if (strncmp(name, AVITOI_STORE_SEND, sizeof AVITOI_STORE_SEND - 1u) != 0) {
        return false;
    }
    for (name += sizeof AVITOI_STORE_SEND - 1u; *name != '\0' && len < AVITO_STORE_KEY_MAX;
         name++) {
        char c = *name;
        if (c == '%') {
            const unsigned high = avitoi_text_hex_digit(name[1]),
                           low = high < 16u ? avitoi_text_hex_digit(name[2]) : 16u;
            if (low > 15u) {
                return false;
            }
            c = (char)(high << 4 | low);
            name += 2;
        }
        key[len++] = c;
    }
    key[len] = '\0';
    return *name == '\0' && len > 0;
}

static bool avitoi_store_copy(char *out, size_t cap, const char *value)
{
    const size_t len = value != NULL ? strlen(value) : cap;
    if (len >= cap) {
        return false;
    }
    memcpy(out, value, len + 1u);
    return true;
}

/* Reads the lines of a send's file, from priv.text. */
static bool avitoi_store_parse(avito_store *s, avito_store_send *out)
{
    char *at = s->priv.text;
    int64_t outcome, text_len;
    if (!avitoi_store_is(&at, "avito-send", "1") || !avitoi_store_int(&at, "outcome", &outcome) ||
        outcome < AVITO_NOT_SENT || outcome > AVITO_CANNOT_TELL ||
        !avitoi_store_natural(&at, "begun", &out->begun) ||
        !avitoi_store_natural(&at, "ended", &out->ended) ||
        !avitoi_store_copy(out->chat_id, sizeof out->chat_id, avitoi_store_value(&at, "chat")) ||
        !avitoi_store_copy(out->baseline_id, sizeof out->baseline_id,
                           avitoi_store_value(&at, "baseline")) ||
        !avitoi_store_int(&at, "created", &out->baseline_created) ||
        !avitoi_store_copy(out->message_id, sizeof out->message_id,
                           avitoi_store_value(&at, "message")) ||
        !avitoi_store_natural(&at, "text", &text_len) ||
        (uint64_t)text_len != strlen(at) || !avitoi_store_copy(out->text, sizeof out->text, at)) {
        return false;
    }
    out->outcome = (avito_outcome)outcome;
    return true;
}

/* Reads the file priv.name. What cannot be understood may have been sent: it is never sent again. */
static int avitoi_store_load(avito_store *s, avito_store_send *out)
{
    const int rc = avitoi_store_text(s, s->priv.name);
    memset(out, 0, sizeof *out);
    if (rc != AVITO_OK) {
        return rc;
    }
    if (!avitoi_store_parse(s, out)) {
        memset(out, 0, sizeof *out);
        out->outcome = AVITO_CANNOT_TELL;
        out->ended = 1;
    }
    (void)avitoi_store_key_of(s->priv.name, out->key); /* it was made from one */
    return AVITO_OK;
}

static int avitoi_store_save(avito_store *s, const avito_store_send *send)
{
    struct avitoi_writer w;
    avitoi_store_begin(s, &w);
    avitoi_store_line(&w, "avito-send", "1");
    avitoi_store_number(&w, "outcome", (int64_t)send->outcome);
    avitoi_store_number(&w, "begun", send->begun);
    avitoi_store_number(&w, "ended", send->ended);
    avitoi_store_line(&w, "chat", send->chat_id);
    avitoi_store_line(&w, "baseline", send->baseline_id);
    avitoi_store_number(&w, "created", send->baseline_created);
    avitoi_store_line(&w, "message", send->message_id);
    avitoi_store_number(&w, "text", (int64_t)strlen(send->text));
    avitoi_write_text(&w, send->text);
    return avitoi_store_write(s, s->priv.name, s->priv.text, w.len);
}

static int avitoi_store_remove(avito_store *s, const char *name)
{
    if (unlinkat(s->priv.folder, name, 0) != 0 && errno != ENOENT) {
        return avitoi_store_failed(s, name, "cannot be removed");
    }
    return avitoi_store_sync_names(s->priv.folder)
               ? AVITO_OK
               : avitoi_store_failed(s, name, "cannot be removed");
}

AVITO_API int avito_store_each_send(avito_store *store,
                                    int (*visit)(void *ctx, const avito_store_send *send),
                                    void *ctx)
{
    const struct dirent *entry;
    char key[AVITO_STORE_KEY_MAX + 1u];
    int rc = AVITO_OK;
    DIR *list;
    int fd;
    if (!avitoi_store_enter(store) || visit == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    fd = avitoi_store_open_at(store->priv.folder, ".", O_RDONLY | O_DIRECTORY);
    list = fd >= 0 ? fdopendir(fd) : NULL;
    if (list == NULL) {
        rc = avitoi_store_failed(store, "", "cannot be read");
        if (fd >= 0) {
            (void)close(fd);
        }
        return rc;
    }
    while (rc == AVITO_OK && (entry = readdir(list)) != NULL) {
        if (avitoi_store_key_of(entry->d_name, key) && avitoi_store_key(store, key) &&
            strcmp(store->priv.name, entry->d_name) == 0) {
            rc = avitoi_store_load(store, &store->priv.send);
            rc = rc == AVITO_OK    ? visit(ctx, &store->priv.send)
                 : rc == AVITO_END ? (int)AVITO_OK
                                   : rc;
        }
    }
    (void)closedir(list);
    return rc;
}

/* How many sends there are, and which was settled longest ago. */
struct avitoi_store_count {
    size_t all;
    int64_t oldest;
    char key[AVITO_STORE_KEY_MAX + 1u];
};

static int avitoi_store_count_one(void *ctx, const avito_store_send *send)
{
    struct avitoi_store_count *count = (struct avitoi_store_count *)ctx;
    count->all++;
    if (send->ended != 0 && (count->key[0] == '\0' || send->ended < count->oldest)) {
        count->oldest = send->ended;
        memcpy(count->key, send->key, sizeof count->key);
    }
    return AVITO_OK;
}

/* Makes room for one more send. */
static int avitoi_store_prune(avito_store *s)
{
    struct avitoi_store_count count;
    int rc;
    do {
        memset(&count, 0, sizeof count);
        rc = avito_store_each_send(s, avitoi_store_count_one, &count);
        if (rc != AVITO_OK || count.all < AVITO_STORE_SENDS) {
            return rc;
        }
        if (!avitoi_store_key(s, count.key)) {
            errno = 0;
            (void)avitoi_store_failed(s, "", "too many sends are not settled");
            s->priv.result = AVITO_ERR_ROOM;
            return AVITO_ERR_ROOM;
        }
        rc = avitoi_store_remove(s, s->priv.name);
    } while (rc == AVITO_OK);
    return rc;
}

/* Under the lock: writes the send down as begun, unless its key has been used. */
static int avitoi_store_begin_locked(avito_store *s, const avito_store_send *send)
{
    size_t len;
    int rc = avitoi_store_read(s, s->priv.name, s->priv.text, 0, &len);
    if (rc != AVITO_END) {
        return rc == AVITO_OK ? (int)AVITO_END : rc;
    }
    rc = avitoi_store_prune(s);
    if (rc != AVITO_OK) {
        return rc;
    }
    s->priv.send = *send;
    s->priv.send.outcome = AVITO_CANNOT_TELL;
    s->priv.send.begun = avito_posix_unix_time(NULL);
    s->priv.send.ended = 0;
    s->priv.send.message_id[0] = '\0';
    (void)avitoi_store_key(s, send->key);
    rc = avitoi_store_save(s, &s->priv.send);
    if (rc != AVITO_OK) { /* it may have its name: nothing is sent, and the key is free */
        (void)unlinkat(s->priv.folder, s->priv.name, 0);
    }
    return rc;
}

AVITO_API int avito_store_begin_send(avito_store *store, const avito_store_send *send)
{
    int rc;
    if (!avitoi_store_enter(store) || send == NULL || send == &store->priv.send ||
        memchr(send->key, 0, sizeof send->key) == NULL ||
        memchr(send->text, 0, sizeof send->text) == NULL || !avitoi_store_key(store, send->key) ||
        !avitoi_store_fits(send->chat_id, sizeof send->chat_id, true) ||
        !avitoi_store_fits(send->baseline_id, sizeof send->baseline_id, false)) {
        return AVITO_ERR_ARGUMENT;
    }
    rc = avitoi_store_lock(store);
    if (rc == AVITO_OK) {
        rc = avitoi_store_begin_locked(store, send);
        avitoi_store_unlock(store);
    }
    return rc;
}

static int avitoi_store_end_locked(avito_store *s, avito_outcome outcome, const char *message_id)
{
    avito_store_send *send = &s->priv.send;
    const int rc = avitoi_store_load(s, send);
    if (rc != AVITO_OK) {
        return rc;
    }
    if (outcome == AVITO_NOT_SENT) {
        return avitoi_store_remove(s, s->priv.name);
    }
    send->outcome = outcome;
    send->ended = avito_posix_unix_time(NULL);
    if (message_id != NULL) {
        (void)avitoi_store_copy(send->message_id, sizeof send->message_id, message_id);
    }
    return avitoi_store_save(s, send);
}

AVITO_API int avito_store_end_send(avito_store *store, const char *key, avito_outcome outcome,
                                   const char *message_id)
{
    int rc;
    if (!avitoi_store_enter(store) || !avitoi_store_key(store, key) ||
        (unsigned)outcome > AVITO_CANNOT_TELL ||
        (message_id != NULL && !avitoi_store_fits(message_id, AVITO_STORE_ID_CAP, false))) {
        return AVITO_ERR_ARGUMENT;
    }
    rc = avitoi_store_lock(store);
    if (rc == AVITO_OK) {
        rc = avitoi_store_end_locked(store, outcome, message_id);
        avitoi_store_unlock(store);
    }
    return rc;
}

AVITO_API int avito_store_find_send(avito_store *store, const char *key, avito_store_send *out)
{
    if (!avitoi_store_enter(store) || out == NULL || !avitoi_store_key(store, key)) {
        return AVITO_ERR_ARGUMENT;
    }
    return avitoi_store_load(store, out);
}

AVITO_API int avito_store_forget_send(avito_store *store, const char *key)
{
    int rc;
    if (!avitoi_store_enter(store) || !avitoi_store_key(store, key)) {
        return AVITO_ERR_ARGUMENT;
    }
    rc = avitoi_store_lock(store);
    if (rc == AVITO_OK) {
        rc = avitoi_store_remove(store, store->priv.name);
        avitoi_store_unlock(store);
    }
    return rc;
}

/* ---- sending once ---- */

#define AVITOI_STORE_LOOK_MS 1000 /* between two looks into a chat */

/* Messages that look like the send in doubt, but are of other keys. */
struct avitoi_store_claims {
    avito_store *store;
    avito_str id; /* of the message that was found */
    size_t count;
    const char *ids[AVITOI_STORE_CLAIMED];
};

/* AVITO_END: this is the send whose message was found. */
static int avitoi_store_is_owner(void *ctx, const avito_store_send *other)
{
    const struct avitoi_store_claims *claims = (const struct avitoi_store_claims *)ctx;
    const avito_store_send *send = &claims->store->priv.once;
    return avito_str_equal(claims->id, other->message_id) && strcmp(other->key, send->key) != 0 &&
                   strcmp(other->chat_id, send->chat_id) == 0 &&
                   avitoi_confirm_same_text(avitoi_text_of(other->text), send->text)
               ? (int)AVITO_END
               : (int)AVITO_OK;
}

/* From now on the message that was found is not taken for ours. False: there is no room to note it. */
static bool avitoi_store_claim(struct avitoi_store_claims *claims)
{
    char *id;
    if (claims->count == AVITOI_STORE_CLAIMED) {
        return false;
    }
    id = claims->store->priv.claimed[claims->count];
    claims->ids[claims->count++] = id;
    return avitoi_store_copy(id, AVITO_STORE_ID_CAP, claims->id.ptr);
}

/* Notes the end of the send that this is about, for the folder and for avito_store_last_send(). */
static int avitoi_store_ended(avito_store *s, avito_outcome outcome, const char *message_id)
{
    avito_store_send *send = &s->priv.once;
    int rc;
    send->outcome = outcome;
    send->ended = avito_posix_unix_time(NULL);
    if (message_id != NULL && !avitoi_store_fits(message_id, AVITO_STORE_ID_CAP, false)) {
        message_id = NULL; /* an id is whatever the service says: what was sent is noted all the same */
    }
    if (message_id != NULL) {
        (void)avitoi_store_copy(send->message_id, sizeof send->message_id, message_id);
    }
    rc = avito_store_end_send(s, send->key, outcome, message_id);
    return rc == AVITO_END ? (int)AVITO_OK : rc; /* its key was freed meanwhile: no note is wanted */
}

/* Reads the chat back, once. The id of what is found lies in the arena, which counts as empty again. */
static int avitoi_store_look(avito_client *client, struct avitoi_store_claims *claims, int64_t user_id,
                             avito_arena *arena, avito_outcome *outcome)
{
    const avito_store_send *send = &claims->store->priv.once;
    const size_t used = arena->used;
    avito_sent_query query;
    avito_message found;
    int rc;
    memset(&query, 0, sizeof query);
    query.text = send->text[0] != '\0' ? send->text : NULL;
    query.baseline_id = send->baseline_id[0] != '\0' ? send->baseline_id : NULL;
    query.baseline_created = send->baseline_created;
    query.claimed = claims->ids;
    query.claimed_count = claims->count;
    /* .age_s 0: not seen in time is no proof */
    rc = avito_confirm_sent(client, user_id, send->chat_id, &query, arena, outcome, &found);
    if (rc == AVITO_OK && *outcome == AVITO_SENT) {
        claims->id = found.id;
    }
    arena->used = used;
    return rc;
}

/* Reads the chat back, once more after each message that proves to be of another key. With more of these than
 * can be noted, none is taken for ours. */
static int avitoi_store_read_back(avito_client *client, struct avitoi_store_claims *claims, int64_t user_id,
                                  avito_arena *arena, avito_outcome *outcome)
{
    for (;;) {
        int rc = avitoi_store_look(client, claims, user_id, arena, outcome);
        if (rc != AVITO_OK || *outcome != AVITO_SENT) {
            return rc;
        }
        *outcome = AVITO_CANNOT_TELL; /* whose is it? */
        rc = avito_store_each_send(claims->store, avitoi_store_is_owner, claims);
        if (rc == AVITO_OK) {
            *outcome = AVITO_SENT;
            return avitoi_store_ended(claims->store, AVITO_SENT, claims->id.ptr);
        }
        if (rc < 0 || !avitoi_store_claim(claims)) {
            return rc < 0 ? rc : (int)AVITO_OK;
        }
    }
}

/* Settles a send that was begun before, or has just ended in doubt. The time may have been set back since it
 * was begun: more than the grace time is not waited here. */
static int avitoi_store_settle(avito_client *client, avito_store *s, int64_t user_id,
                               avito_arena *arena, avito_outcome *outcome)
{
    const int64_t begun = s->priv.once.begun; /* read from a file: any number that is not negative */
    const uint32_t began = avito_posix_clock_ms(NULL);
    struct avitoi_store_claims claims;
    int rc;
    memset(&claims, 0, sizeof claims);
    claims.store = s;
    rc = avitoi_store_read_back(client, &claims, user_id, arena, outcome);
    while (rc == AVITO_OK && *outcome != AVITO_SENT &&
           avito_posix_unix_time(NULL) - begun <= (int64_t)s->o.grace_s &&
           (avito_posix_clock_ms(NULL) - began) / 1000u <= s->o.grace_s) {
        (void)poll(NULL, 0, AVITOI_STORE_LOOK_MS);
        rc = avitoi_store_read_back(client, &claims, user_id, arena, outcome);
    }
    if (rc != AVITO_OK || *outcome == AVITO_SENT) {
        return rc;
    }
    rc = avitoi_store_ended(s, AVITO_CANNOT_TELL, NULL);
    return rc == AVITO_OK ? (int)AVITO_END : rc;
}

/* The newest message of the chat before ours. */
static int avitoi_store_baseline(avito_client *client, avito_store *s, int64_t user_id,
                                 avito_arena *arena)
{
    avito_store_send *send = &s->priv.once;
    const size_t used = arena->used;
    avito_messages_query query;
    avito_messages newest;
    int rc;
    memset(&query, 0, sizeof query);
    query.limit = 1;
    query.want = AVITO_MESSAGE_BARE;
    rc = avito_get_messages(client, user_id, send->chat_id, &query, arena, &newest);
    if (rc == AVITO_OK && newest.count > 0 &&
        avitoi_store_copy(send->baseline_id, sizeof send->baseline_id, newest.items[0].id.ptr)) {
        send->baseline_created = newest.items[0].created;
    }
    arena->used = used;
    return rc;
}

/* Sends for the first time under this key: the text, or the picture. */
static int avitoi_store_send_now(avito_client *client, avito_store *s, int64_t user_id,
                                 const char *image_id, avito_arena *arena, avito_outcome *outcome)
{
    const size_t used = arena->used;
    avitoi_call_result (*const settle)(avito_client * c, int result) = client->settle;
    avito_store_send *send = &s->priv.once;
    avito_message sent;
    int rc = avitoi_store_baseline(client, s, user_id, arena);
    if (rc == AVITO_OK) {
        rc = avito_store_begin_send(s, send);
    }
    if (rc != AVITO_OK) {
        return rc;
    }
    send->begun = avito_posix_unix_time(NULL);
    send->outcome = AVITO_CANNOT_TELL;
    client->settle = NULL; /* its baseline is of another send: ours is in the note */
    rc = image_id == NULL ? avito_send_message(client, user_id, send->chat_id, send->text, arena, &sent)
                          : avito_send_image_message(client, user_id, send->chat_id, image_id, arena,
                                                     &sent);
    client->settle = settle;
    *outcome = client->error.outcome;
    if (*outcome != AVITO_CANNOT_TELL) {
        const int noted = avitoi_store_ended(s, *outcome, rc == AVITO_OK ? sent.id.ptr : NULL);
        rc = rc == AVITO_OK ? noted : rc;
    }
    arena->used = used;
    return rc;
}

/* Fills in the note of a send; the key is a valid one. False: chat or text is longer than a note takes. */
static bool avitoi_store_describe(avito_store_send *send, const char *chat_id, const char *key,
                                  const char *text)
{
    (void)avitoi_store_copy(send->key, sizeof send->key, key);
    return avitoi_store_copy(send->chat_id, sizeof send->chat_id, chat_id) &&
           avitoi_store_copy(send->text, sizeof send->text, text);
}

/* `text` "" for a picture; NULL: neither was given. */
static int avitoi_store_once(avito_client *client, avito_store *store, int64_t user_id,
                             const char *chat_id, const char *key, const char *text,
                             const char *image_id, avito_arena *arena, avito_outcome *outcome)
{
    avito_store_send *send;
    int rc;
    if (outcome == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    *outcome = AVITO_NOT_SENT;
    if (store != NULL) {
        store->priv.once.key[0] = '\0';
    }
    if (!avitoi_machine_is_ready(client) || !avitoi_call_may_wait(client) ||
        !avitoi_store_is_ready(store) || chat_id == NULL || text == NULL || arena == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    send = &store->priv.once;
    while ((rc = avito_store_find_send(store, key, send)) == AVITO_END) {
        if (!avitoi_store_describe(send, chat_id, key, text)) {
            return AVITO_ERR_ARGUMENT;
        }
        rc = avitoi_store_send_now(client, store, user_id, image_id, arena, outcome);
        if (rc != AVITO_END) {
            return rc; /* else another program was quicker, and may have freed the key again */
        }
    }
    if (rc != AVITO_OK) { /* nothing is ever sent under an invalid key */
        *outcome = rc == AVITO_ERR_ARGUMENT ? AVITO_NOT_SENT : AVITO_CANNOT_TELL;
        return rc;
    }
    *outcome = send->outcome;
    return send->ended != 0 ? (int)AVITO_END
                            : avitoi_store_settle(client, store, user_id, arena, outcome);
}

AVITO_API int avito_send_once(avito_client *client, avito_store *store, int64_t user_id,
                              const char *chat_id, const char *key, const char *text,
                              avito_arena *arena, avito_outcome *outcome)
{
    return avitoi_store_once(client, store, user_id, chat_id, key, text, NULL, arena, outcome);
}

AVITO_API int avito_send_image_once(avito_client *client, avito_store *store, int64_t user_id,
                                    const char *chat_id, const char *key, const char *image_id,
                                    avito_arena *arena, avito_outcome *outcome)
{
    return avitoi_store_once(client, store, user_id, chat_id, key, image_id != NULL ? "" : NULL, image_id,
                             arena, outcome);
}

AVITO_API const avito_store_send *avito_store_last_send(const avito_store *store)
{
    return avitoi_store_is_ready(store) && store->priv.once.key[0] != '\0' ? &store->priv.once : NULL;
}

/* ---- pictures ---- */

static long avitoi_image_read(void *ctx, size_t offset, void *buf, size_t cap)
{
    const avito_image_file *image = (const avito_image_file *)ctx;
    ssize_t n;
    do {
        n = pread(image->priv.fd, buf, cap, (off_t)offset);
    } while (n < 0 && errno == EINTR);
    return n > 0 ? (long)n : (long)AVITO_ERR_SOURCE;
}

/* The type of a picture, by its first bytes. NULL: none that the service takes. */
static const char *avitoi_image_type(const uint8_t head[16])
{
    static const char heic[] = "heicheixhevchevxheimheismif1msf1";
    size_t i;
    if (memcmp(head, "\xff\xd8\xff", 3) == 0) {
        return "image/jpeg";
    }
    if (memcmp(head, "\x89PNG\r\n\x1a\n", 8) == 0) {
        return "image/png";
    }
    if (memcmp(head, "GIF8", 4) == 0) {
        return "image/gif";
    }
    if (memcmp(head, "BM", 2) == 0) {
        return "image/bmp";
    }
    for (i = 0; memcmp(head + 4, "ftyp", 4) == 0 && i < sizeof heic - 1u; i += 4u) {
        if (memcmp(head + 8, heic + i, 4) == 0) {
            return "image/heic";
        }
    }
    return NULL;
}

/* The end of the path; of a long one the end, which has the suffix. What is not UTF-8 becomes '?'. */
static void avitoi_image_name(avito_image_file *image, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    const size_t len = strlen(name), cap = sizeof image->priv.name - 1u;
    name += len > cap ? len - cap : 0u;
    while (len > cap && (avitoi_text_byte(*name) & 0xc0u) == 0x80u) {
        name++; /* the rest of a character */
    }
    memcpy(image->priv.name, name, strlen(name) + 1u);
    avitoi_text_utf8_mend(image->priv.name);
}

static int avitoi_image_check(avito_image_file *image)
{
    uint8_t head[16];
    struct stat info;
    memset(head, 0, sizeof head);
    if (fstat(image->priv.fd, &info) != 0 || pread(image->priv.fd, head, sizeof head, 0) < 0) {
        return AVITO_ERR_FILE;
    }
    if (info.st_size > (off_t)AVITO_IMAGE_MAX) {
        return AVITO_ERR_TOO_LARGE;
    }
    image->source.size = (size_t)info.st_size;
    image->source.content_type = avitoi_image_type(head);
    return image->source.content_type != NULL ? (int)AVITO_OK : (int)AVITO_ERR_ARGUMENT;
}

AVITO_API int avito_image_from_file(avito_image_file *image, const char *path)
{
    int rc;
    if (image == NULL || path == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    memset(image, 0, sizeof *image);
    /* Opened so, a pipe does not wait for its writer. */
    image->priv.fd = avitoi_store_open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK);
    if (image->priv.fd < 0) {
        return AVITO_ERR_FILE;
    }
    image->source.read = avitoi_image_read;
    rc = avitoi_image_check(image);
    if (rc != AVITO_OK) {
        const int error = errno;
        avito_image_file_close(image);
        errno = error;
        return rc;
    }
    avitoi_image_name(image, path);
    image->source.ctx = image;
    image->source.file_name = image->priv.name[0] != '\0' ? image->priv.name : NULL;
    return AVITO_OK;
}

AVITO_API void avito_image_file_close(avito_image_file *image)
{
    if (image != NULL && image->source.read != NULL) {
        (void)close(image->priv.fd);
        image->source.read = NULL;
    }
}

#endif /* AVITO_WITH_FILES */

/* ======================================================================= *
 * >>97 EVERYTHING IN ONE STRUCT
 * ======================================================================= *
 *
 * One struct and one call for a program on a computer: account, lane, TCP, TLS, roots and the store.
 * Comes in: options and the environment. Goes out: a lane that is ready. May not do what its parts do: it
 * only sets them up.
 */
#if AVITO_WITH_FILES && AVITO_WITH_BEARSSL

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define AVITOI_POSIX_FRESH_MS 60000u /* how long addresses are used without asking again */

/* ---- words for people ---- */

static void avitoi_posix_words(avito_posix *p, struct avitoi_writer *w)
{
    memset(w, 0, sizeof *w);
    w->out = p->priv.note;
    w->cap = sizeof p->priv.note - 1u;
}

/* Why it could not be opened. `name` is what was looked at. */
static int avitoi_posix_failed(avito_posix *p, int result, const char *name, const char *why)
{
    struct avitoi_writer w;
    avitoi_posix_words(p, &w);
    avitoi_write_text(&w, name);
    avitoi_write_text(&w, why);
    p->priv.note[w.len] = '\0';
    p->priv.noted = result;
    return result;
}

/* Is this result the last failure of the store? A lane at work is BUSY by itself; other hooks may fail. */
static bool avitoi_posix_is_of_store(const avito_posix *p, int result)
{
    const int failed = p->store.priv.result;
    const avito_error *error = &p->client.error;
    if (failed == AVITO_OK || (result == AVITO_ERR_BUSY && p->client.priv.call != NULL)) {
        return false;
    }
    return result == failed || (result == AVITO_ERR_HOOK &&
                                (error->code != AVITO_ERR_HOOK || error->detail == failed));
}

AVITO_API const char *avito_posix_strerror(avito_posix *avito, int result)
{
    const char *of_server, *of_folder;
    const avito_error *error;
    struct avitoi_writer w;
    if (avito == NULL) {
        return avito_error_text(result);
    }
    error = &avito->client.error;
    of_server = result < 0 && error->code == result ? error->text : "";
    of_folder = avitoi_posix_is_of_store(avito, result) ? avito_store_problem(&avito->store) : "";
    if (avito->priv.noted == result && result < 0) {
        return avito->priv.note;
    }
    avito->priv.noted = AVITO_OK;
    avitoi_posix_words(avito, &w);
    avitoi_write_text(&w, avito_error_text(result));
    if (of_folder[0] == '\0') {
        avitoi_write_text(&w, "; ");
        avitoi_write_text(&w, avito_error_remedy(result));
    } else {
        avitoi_write_text(&w, ": ");
        avitoi_write_text(&w, of_folder);
    }
    if (of_server[0] != '\0') {
        avitoi_write_text(&w, " (");
        avitoi_write_text(&w, of_server);
        avitoi_write_text(&w, ")");
    }
    avito->priv.note[w.len] = '\0';
    return avito->priv.note;
}

AVITO_API int avito_posix_perror(avito_posix *avito, int result)
{
    if (result >= 0) {
        return 0;
    }
    (void)fprintf(stderr, "%s\n", avito_posix_strerror(avito, result));
    return 1;
}

/* ---- the account's hooks: yours, or the default; and the store's ---- */

static uint32_t avitoi_posix_hook_clock(void *ctx)
{
    const avito_account_options *hooks = &((const avito_posix *)ctx)->priv.hooks;
    return hooks->clock_ms != NULL ? hooks->clock_ms(hooks->ctx) : avito_posix_clock_ms(NULL);
}

static int64_t avitoi_posix_hook_time(void *ctx)
{
    const avito_account_options *hooks = &((const avito_posix *)ctx)->priv.hooks;
    return hooks->unix_time != NULL ? hooks->unix_time(hooks->ctx) : avito_posix_unix_time(NULL);
}

static int avitoi_posix_hook_entropy(void *ctx, void *out, size_t len)
{
    const avito_account_options *hooks = &((const avito_posix *)ctx)->priv.hooks;
    return hooks->entropy != NULL ? hooks->entropy(hooks->ctx, out, len)
                                  : avito_posix_entropy(NULL, out, len);
}

static int avitoi_posix_hook_load(void *ctx, avito_token *token)
{
    avito_posix *p = (avito_posix *)ctx;
    const avito_account_options *hooks = &p->priv.hooks;
    if (p->priv.fresh) {
        return AVITO_END;
    }
    if (avitoi_store_is_ready(&p->store)) {
        return avito_store_load_token(&p->store, token);
    }
    return hooks->load_token != NULL ? hooks->load_token(hooks->ctx, token) : (int)AVITO_END;
}

static int avitoi_posix_hook_save(void *ctx, const avito_token *token)
{
    avito_posix *p = (avito_posix *)ctx;
    const avito_account_options *hooks = &p->priv.hooks;
    const bool stored = avitoi_store_is_ready(&p->store);
    const int rc = stored                      ? avito_store_save_token(&p->store, token)
                   : hooks->save_token != NULL ? hooks->save_token(hooks->ctx, token)
                                               : (int)AVITO_OK;
    p->priv.fresh = p->priv.fresh && rc != AVITO_OK; /* else the old one would be loaded again */
    return stored && p->priv.may_fail ? (int)AVITO_OK : rc;
}

static void avitoi_posix_hook_lock(void *ctx)
{
    const avito_account_options *hooks = &((const avito_posix *)ctx)->priv.hooks;
    hooks->lock(hooks->ctx);
}

static void avitoi_posix_hook_unlock(void *ctx)
{
    const avito_account_options *hooks = &((const avito_posix *)ctx)->priv.hooks;
    hooks->unlock(hooks->ctx);
}

static void avitoi_posix_hook_trace(void *ctx, const char *line)
{
    const avito_account_options *hooks = &((const avito_posix *)ctx)->priv.hooks;
    hooks->trace(hooks->ctx, line);
}

/* ---- looking names up without waiting ----
 *
 * getaddrinfo() waits, and may do so for half a minute. So it runs on a thread, which shares nothing
 * with us but a pair of sockets: the name goes one way, the addresses come the other. We may be closed
 * and gone meanwhile. */

struct avitoi_posix_addresses {
    avito_tcp_address items[AVITO_TCP_ADDRESSES];
    uint32_t count;
};

/* The thread of a look-up: reads a name from its end of the pair of sockets, writes the addresses back,
 * and ends. */
static void *avitoi_posix_look_up(void *ctx)
{
    const int fd = (int)(intptr_t)ctx;
    struct avitoi_posix_addresses found;
    avito_tcp tcp;
    char host[256];
    const ssize_t n = read(fd, host, sizeof host - 1u);
    memset(&tcp, 0, sizeof tcp);
    memset(&found, 0, sizeof found);
    if (n > 0) {
        host[n] = '\0';
        tcp.priv.host = host;
        avitoi_tcp_getaddrinfo(&tcp);
        memcpy(found.items, tcp.priv.addresses, sizeof found.items);
        found.count = tcp.priv.count;
    }
    if (write(fd, &found, sizeof found) < 0) {
        /* it is not wanted any more; all signals are blocked here */
    }
    (void)close(fd);
    return NULL;
}

/* Starts a thread that takes no signal meant for the program. */
static bool avitoi_posix_start_thread(int fd)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    int rc;
    (void)sigfillset(&all);
    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, &attributes, avitoi_posix_look_up, (void *)(intptr_t)fd);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return rc == 0;
}

/* Starts the thread that looks the host up. If that fails, priv.look_up stays -1, and the resolver tells. */
static void avitoi_posix_ask(avito_posix *p)
{
    const size_t len = strlen(p->account.o.host);
    int kind = SOCK_DGRAM;
    int pair[2];
#ifdef SOCK_CLOEXEC
    kind |= SOCK_CLOEXEC;
#endif
    if (socketpair(AF_UNIX, kind, 0, pair) != 0) {
        return;
    }
    (void)fcntl(pair[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(pair[1], F_SETFD, FD_CLOEXEC);
    if (fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0 &&
        write(pair[0], p->account.o.host, len) == (ssize_t)len &&
        avitoi_posix_start_thread(pair[1])) {
        p->priv.look_up = pair[0];
        p->priv.asked_ms = avito_posix_clock_ms(NULL);
        return;
    }
    (void)close(pair[0]);
    (void)close(pair[1]);
}

/* Takes the answer of a look-up. AVITO_AGAIN: there is none yet. If it failed, the old addresses stay. */
static int avitoi_posix_answer(avito_posix *p)
{
    struct avitoi_posix_addresses found;
    ssize_t n;
    if (p->priv.look_up < 0) {
        return AVITO_OK;
    }
    n = read(p->priv.look_up, &found, sizeof found);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return AVITO_AGAIN;
    }
    (void)close(p->priv.look_up);
    p->priv.look_up = -1;
    if (n == (ssize_t)sizeof found && found.count > 0) {
        memcpy(p->priv.addresses, found.items, sizeof found.items);
        p->priv.count = (uint8_t)found.count;
        p->priv.looked_up_ms = p->priv.asked_ms;
        p->tcp.priv.unreached = false;
    }
    return AVITO_OK;
}

/* Is there an address, less than a minute old, and not one that the last connect tried in vain? */
static bool avitoi_posix_has_fresh_address(const avito_posix *p)
{
    return p->priv.count > 0 && !p->tcp.priv.unreached &&
           avito_posix_clock_ms(NULL) - p->priv.looked_up_ms < AVITOI_POSIX_FRESH_MS;
}

/* The look-up of a name for a connect. One that was begun before, when the struct was opened or for a connect
 * that was given up, counts if it gives addresses in time. If it failed, that says nothing about now. */
static int avitoi_posix_resolve(void *ctx, const char *host, avito_tcp_address *out, size_t cap,
                                size_t *count)
{
    avito_posix *p = (avito_posix *)ctx;
    (void)host; /* that of the account */
    p->priv.asked = p->priv.asked && p->tcp.priv.state == AVITOI_TCP_RESOLVING;
    if (avitoi_posix_answer(p) == AVITO_AGAIN) {
        return AVITO_AGAIN;
    }
    if (!p->priv.asked && !avitoi_posix_has_fresh_address(p)) {
        p->priv.asked = true;
        avitoi_posix_ask(p);
        if (avitoi_posix_answer(p) == AVITO_AGAIN) {
            return AVITO_AGAIN;
        }
    }
    *count = p->priv.count < cap ? p->priv.count : cap;
    memcpy(out, p->priv.addresses, *count * sizeof *out);
    return *count > 0 ? (int)AVITO_OK : (int)AVITO_ERR_RESOLVE;
}

/* ---- opening ---- */

/* An option, or what the environment has instead; NULL: neither. */
static const char *avitoi_posix_option(const char *option, const char *variable)
{
    const char *value;
    if (option != NULL) {
        return option; /* also "": it was meant to be something, and is refused */
    }
    value = getenv(variable);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Copies a value. False: it is missing, or too long to be one. */
static bool avitoi_posix_take(char out[256], const char *value)
{
    return value != NULL && avitoi_store_copy(out, 256, value);
}

/* Client id and secret: from the options, else from the environment. */
static int avitoi_posix_credentials(avito_posix *p, avito_account_options *a)
{
    static const char where[] = ": both are on the account's developer page";
    if (!avitoi_posix_take(p->priv.client_id,
                           avitoi_posix_option(a->client_id, "AVITO_CLIENT_ID")) ||
        !avitoi_text_is_word(p->priv.client_id)) {
        return avitoi_posix_failed(
            p, AVITO_ERR_OPTION_CREDENTIALS,
            "no client_id; give it, or set AVITO_CLIENT_ID", where);
    }
    if (!avitoi_posix_take(p->priv.client_secret,
                           avitoi_posix_option(a->client_secret, "AVITO_CLIENT_SECRET")) ||
        !avitoi_text_is_word(p->priv.client_secret)) {
        return avitoi_posix_failed(p, AVITO_ERR_OPTION_CREDENTIALS,
                                   "no client_secret; give it, or set AVITO_CLIENT_SECRET", where);
    }
    a->client_id = p->priv.client_id;
    a->client_secret = p->priv.client_secret;
    return AVITO_OK;
}

/* Host and port: from the options, else from the environment, else Avito's. */
static int avitoi_posix_server(avito_posix *p, avito_account_options *a)
{
    const char *given = avitoi_posix_option(a->host, "AVITO_HOST");
    const char *host = given != NULL ? given : "api.avito.ru";
    const char *port = avitoi_posix_option(NULL, "AVITO_PORT");
    int64_t number = a->port;
    if (!avitoi_posix_take(p->priv.host, host) ||
        !avitoi_account_is_host(p->priv.host)) {
        return avitoi_posix_failed(
            p, AVITO_ERR_OPTION_HOST, host,
            ": not a host (AVITO_HOST); a bare name, as api.avito.ru");
    }
    if (number == 0 && port != NULL &&
        (!avitoi_number_parse_int(port, strlen(port), &number) || number < 1 || number > 65535)) {
        return avitoi_posix_failed(p, AVITO_ERR_ARGUMENT, port,
                                   ": not a port (AVITO_PORT); a number from 1 to 65535");
    }
    a->host = p->priv.host;
    a->port = (uint16_t)number;
    return AVITO_OK;
}

/* A copy of the text, which need not live on; one that is longer than any good one itself, to be refused. */
static const char *avitoi_posix_copy(char *copy, size_t cap, const char *text)
{
    return avitoi_store_copy(copy, cap, text) ? copy : text;
}

/* The folder, if there is one. */
static int avitoi_posix_store(avito_posix *p, const avito_posix_options *o)
{
    avito_store_options store = avito_store_options_default();
    int rc;
    store.folder = avitoi_posix_copy(p->priv.folder, sizeof p->priv.folder, o->folder);
    store.client_id = p->priv.client_id;
    store.host = p->priv.host;
    if (avitoi_store_copy(p->priv.program, sizeof p->priv.program, o->program)) {
        store.program = p->priv.program;
    }
    store.grace_s = o->grace_s;
    if (o->folder == NULL) {
        return AVITO_OK;
    }
    rc = avito_store_open(&p->store, &store);
    return rc == AVITO_OK || p->priv.may_fail ? AVITO_OK
           : avitoi_posix_failed(p, rc, rc == AVITO_ERR_ARGUMENT ? ".folder is empty"
                                                                 : avito_store_problem(&p->store), "");
}

/* Where distributions keep their roots. */
static const char *avitoi_posix_roots(void)
{
    static const char *const places[] = {
        "/etc/ssl/certs/ca-certificates.crt", /* Debian, Arch, Alpine, Gentoo, OpenWrt, Nix */
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora, RHEL */
        "/etc/pki/tls/certs/ca-bundle.crt",                  /* older ones of these */
        "/etc/ssl/ca-bundle.pem",                            /* openSUSE */
        "/etc/ssl/cert.pem",                                 /* macOS, the BSDs */
        "/usr/local/share/certs/ca-root-nss.crt",            /* FreeBSD's package */
        "/etc/openssl/certs/ca-certificates.crt"};           /* NetBSD */
    size_t i;
    for (i = 0; i < AVITOI_COUNT(places); i++) {
        if (access(places[i], R_OK) == 0) {
            return places[i];
        }
    }
    return NULL;
}

AVITO_API const char *avito_posix_ca_file(const char *ca_file)
{
    const char *file = avitoi_posix_option(ca_file, "AVITO_CA_FILE");
    file = file != NULL ? file : avitoi_posix_option(NULL, "SSL_CERT_FILE");
    return file != NULL ? file : avitoi_posix_roots();
}

/* Roots: those given, else from the first file of roots that is named or found. */
static int avitoi_posix_anchors(avito_posix *p, const avito_posix_options *o)
{
    const char *file = avito_posix_ca_file(o->ca_file);
    int rc;
    if (o->anchors != NULL) {
        p->anchors = *o->anchors;
        return AVITO_OK;
    }
    if (file == NULL) {
        return avitoi_posix_failed(
            p, AVITO_ERR_OPTION_ANCHORS, "this system has no file of roots where others do",
            ": install ca-certificates, or set AVITO_CA_FILE");
    }
    rc = avito_anchors_load_file(&p->anchors, p->priv.roots, sizeof p->priv.roots, file);
    if (rc == AVITO_ERR_ROOM) {
        return avitoi_posix_failed(
            p, rc, file, ": more roots than fit; name a smaller file by AVITO_CA_FILE");
    }
    return rc == AVITO_OK
               ? AVITO_OK
               : avitoi_posix_failed(p, rc, file,
                                     ": cannot be read, or has no certificate in PEM; name "
                                     "another by AVITO_CA_FILE");
}

/* TCP and TLS over it. */
static int avitoi_posix_lines(avito_posix *p, const avito_posix_options *o)
{
    avito_tcp_options tcp = o->tcp;
    avito_tls_options tls = avito_tls_options_default();
    int rc;
    tcp.never_wait = o->client.never_wait;
    tcp.address = avitoi_posix_copy(p->priv.address, sizeof p->priv.address, tcp.address);
    if (tcp.never_wait && tcp.address == NULL && tcp.resolve == NULL) {
        tcp.resolve = avitoi_posix_resolve;
        tcp.ctx = p;
    }
    rc = avito_tcp_init(&p->tcp, &tcp);
    if (rc != AVITO_OK) {
        return avitoi_posix_failed(p, rc, tcp.address, ": not a numeric address (.tcp.address)");
    }
    tls.transport = avito_tcp_transport(&p->tcp);
    tls.anchors = p->anchors.items;
    tls.anchors_count = p->anchors.count;
    tls.buffer = p->priv.records;
    tls.buffer_cap = sizeof p->priv.records;
    tls.full_duplex = true;
    tls.read_ahead = p->priv.ahead;
    tls.read_ahead_cap = sizeof p->priv.ahead;
    tls.ctx = p;
    tls.unix_time = avitoi_posix_hook_time;
    tls.entropy = avitoi_posix_hook_entropy;
    return avito_tls_init(&p->tls, &tls);
}

/* The account with our hooks in front of the application's, and the lane. */
static int avitoi_posix_lane(avito_posix *p, const avito_posix_options *o, avito_account_options *a)
{
    avito_client_options c = o->client;
    int rc;
    a->tokens = p->priv.tokens;
    a->tokens_cap = sizeof p->priv.tokens;
    a->ctx = p;
    a->clock_ms = avitoi_posix_hook_clock;
    a->unix_time = avitoi_posix_hook_time;
    a->entropy = avitoi_posix_hook_entropy;
    a->load_token = avitoi_posix_hook_load;
    a->save_token = avitoi_posix_hook_save;
    a->lock = a->lock != NULL ? avitoi_posix_hook_lock : NULL;
    a->unlock = a->unlock != NULL ? avitoi_posix_hook_unlock : NULL;
    a->trace = a->trace != NULL ? avitoi_posix_hook_trace : NULL;
    rc = avito_account_init(&p->account, a);
    if (rc != AVITO_OK) {
        return rc;
    }
    if (o->by_consent) {
        (void)avito_account_by_consent(&p->account);
    }
    c.transport = avito_tls_transport(&p->tls);
    c.window = p->priv.window;
    c.window_cap = sizeof p->priv.window;
    rc = avito_client_init(&p->client, &p->account, &c);
    if (rc == AVITO_OK && p->tcp.o.resolve == avitoi_posix_resolve) {
        avitoi_posix_ask(p);
    }
    return rc;
}

static void avitoi_posix_let_go(avito_posix *p)
{
    avitoi_store_drop(&p->priv.look_up);
    avito_store_close(&p->store);
}

AVITO_API avito_posix_options avito_posix_options_default(void)
{
    avito_posix_options options = AVITOI_ZERO;
    return options;
}

AVITO_API int avito_posix_open(avito_posix *avito, const avito_posix_options *options)
{
    avito_posix_options o = avito_posix_options_default();
    int rc;
    if (avito == NULL) {
        return AVITO_ERR_ARGUMENT;
    }
    memset(avito, 0, sizeof *avito);
    avito->priv.look_up = -1;
    avito->arena = avito_arena_of(avito->priv.room, sizeof avito->priv.room);
    o = options != NULL ? *options : o;
    avito->priv.hooks = o.account;
    avito->priv.fresh = o.fresh_token;
    avito->priv.may_fail = o.folder_may_fail && !o.by_consent;
    rc = avitoi_posix_credentials(avito, &o.account);
    rc = rc == AVITO_OK ? avitoi_posix_server(avito, &o.account) : rc;
    rc = rc == AVITO_OK ? avitoi_posix_anchors(avito, &o) : rc;
    rc = rc == AVITO_OK ? avitoi_posix_store(avito, &o) : rc;
    rc = rc == AVITO_OK ? avitoi_posix_lines(avito, &o) : rc;
    rc = rc == AVITO_OK ? avitoi_posix_lane(avito, &o, &o.account) : rc;
    if (rc != AVITO_OK) {
        avitoi_posix_let_go(avito);
    }
    avito->priv.open = rc == AVITO_OK;
    return rc;
}

AVITO_API int avito_posix_sign_in(avito_posix *avito, const avito_posix_options *options)
{
    const int rc = avito_posix_open(avito, options);
    if (rc != AVITO_OK) {
        return rc;
    }
    if (avito->client.o.never_wait) {
        return AVITO_ERR_ARGUMENT;
    }
    return avito_get_self(&avito->client, &avito->arena, &avito->self);
}

AVITO_API avito_inbox_options avito_posix_inbox_options(avito_posix *avito, int64_t user_id)
{
    avito_inbox_options o = avito_inbox_options_default();
    if (avito == NULL || !avito->priv.open) {
        return o; /* avito_inbox_init() refuses them */
    }
    if (avito->priv.inbox_arena.base == NULL) { /* else an inbox may be filling it */
        avito->priv.inbox_arena = avito_arena_of(avito->priv.inbox_room, sizeof avito->priv.inbox_room);
    }
    o.user_id = user_id;
    o.state = avito->priv.inbox_state;
    o.state_cap = sizeof avito->priv.inbox_state;
    o.arena = &avito->priv.inbox_arena;
    o.chats = avito->priv.inbox_chats;
    o.chats_cap = sizeof avito->priv.inbox_chats;
    if (avitoi_store_is_ready(&avito->store)) {
        o.ctx = &avito->store;
        o.save = avito_store_save_inbox;
        o.load = avito_store_load_inbox;
    }
    return o;
}

AVITO_API void avito_posix_close(avito_posix *avito)
{
    if (avito != NULL && avito->priv.open) {
        avito->priv.open = false;
        avito_client_close(&avito->client);
        avitoi_posix_let_go(avito);
    }
}

#endif /* AVITO_WITH_FILES && AVITO_WITH_BEARSSL */

#endif /* AVITO_MESSENGER_IMPLEMENTATION: end of what a computer has */

/*
 * MIT License
 *
 * Copyright (c) 2026 the avito_messenger.h authors
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy
 * of this software and associated documentation files (the "Software"), to deal
 * in the Software without restriction, including without limitation the rights
 * to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
 * copies of the Software, and to permit persons to whom the Software is
 * furnished to do so, subject to the following conditions:
 *
 * The above copyright notice and this permission notice shall be included in all
 * copies or substantial portions of the Software.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
 * IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
 * FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
 * AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
 * LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
 * OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
 * SOFTWARE.
 */
