// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once: threads and processes that derive, cancel, wait and close
 * on the same contexts, and are killed at any moment. Afterwards nothing is left.
 */
#include "ctx_test.h"

#define MAX_USER_CONTEXTS	CTX_PARAMETERS "max_user_contexts"
#define DEFAULT_CONTEXTS	65536
#define SLAB			"/sys/kernel/slab/ctx_user/"
#define USER			3001

FIXTURE(race) {
	int bg;
	long long objects;
	bool counts;
};

/* Contexts of processes that exist, also those that wait for a grace period. */
static long long objects(void)
{
	write_number(SLAB "shrink", 1);
	return read_number(SLAB "objects");
}

FIXTURE_SETUP(race)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	/* Without it, the user's own count still tells. */
	self->counts = access(SLAB "objects", R_OK) == 0;
	if (self->counts)
		self->objects = objects();
}

/* What is closed is gone, at the latest after a grace period. */
static void expect_nothing_left(struct __test_metadata *_metadata, fixture_self(race))
{
	pid_t pid;

	while (self->counts && objects() > self->objects)
		sched_yield();
	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 3));
	pid = spawn();
	if (!pid) {
		become(USER);
		while (ctx_derive(self->bg, 0) < 0)
			sched_yield();
		while (ctx_derive(self->bg, 0) < 0)
			sched_yield();
		while (ctx_derive(self->bg, 0) < 0)
			sched_yield();
		EXPECT_EQ(-EDQUOT, ctx_derive(self->bg, 0));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, DEFAULT_CONTEXTS));
}

FIXTURE_TEARDOWN(race)
{
	write_number(MAX_USER_CONTEXTS, DEFAULT_CONTEXTS);
	close(self->bg);
}

static unsigned int next_random(unsigned int *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16;
}

/* Threads on one set of descriptors */

#define SLOTS	16

struct chaos {
	int top;
	int slots[SLOTS];
	int rounds;
	bool stop;
	int odd;	/* an answer that nothing explains */
};

struct worker {
	struct chaos *chaos;
	unsigned int seed;
};

/*
 * A number in a slot may be closed, or be another context by now: any of those
 * answers is fine, and no other.
 */
static void check(struct chaos *chaos, int ret, int expected)
{
	if (ret < 0 && ret != -EBADF && ret != expected)
		__atomic_store_n(&chaos->odd, ret, __ATOMIC_RELAXED);
}

static int derive_any(int parent, unsigned int *seed)
{
	switch (next_random(seed) % 5) {
	case 0:
		return ctx_timeout(parent, next_random(seed) % 1000000, EIO);
	case 1:
		return ctx_set(parent, "key", "value");
	case 2:
		return ctx_derive(parent, CTX_DERIVE_KEEP);
	default:
		return ctx_derive(parent, 0);
	}
}

static void *worker(void *arg)
{
	struct worker *self = arg;
	struct chaos *chaos = self->chaos;
	struct ctx_ioc_info info;
	char value[8];
	__u32 len;
	int i, fd, *slot;

	for (i = 0; i < chaos->rounds; i++) {
		slot = &chaos->slots[next_random(&self->seed) % SLOTS];
		fd = __atomic_load_n(slot, __ATOMIC_RELAXED);
		switch (next_random(&self->seed) % 8) {
		case 0:
		case 1:
			fd = derive_any(fd, &self->seed);
			/* Chains that grow too deep start again at the top. */
			if (fd == -ELOOP || fd == -EBADF)
				fd = derive_any(chaos->top, &self->seed);
			check(chaos, fd, 0);
			fd = __atomic_exchange_n(slot, fd, __ATOMIC_RELAXED);
			if (fd >= 0)
				close(fd);
			break;
		case 2:
			fd = derive_any(chaos->top, &self->seed);
			check(chaos, fd, 0);
			fd = __atomic_exchange_n(slot, fd, __ATOMIC_RELAXED);
			if (fd >= 0)
				close(fd);
			break;
		case 3:
			check(chaos, ctx_cancel(fd, EPIPE), -EPERM);
			break;
		case 4:
			len = sizeof(value);
			check(chaos, ctx_value(fd, "key", 3, value, &len), -ENOENT);
			break;
		case 5:
			check(chaos, ctx_info(fd, &info), 0);
			break;
		case 6:
			fd = dup(fd);
			if (fd >= 0) {
				poll_events(fd, POLLIN, 0);
				close(fd);
			}
			break;
		default:
			fd = __atomic_exchange_n(slot, -1, __ATOMIC_RELAXED);
			if (fd >= 0)
				close(fd);
			break;
		}
	}
	return NULL;
}

/* Blocks in read() until what it found is done: the end of the top is the last. */
static void *reader(void *arg)
{
	struct worker *self = arg;
	struct chaos *chaos = self->chaos;
	struct ctx_event event;
	int fd;

	while (!__atomic_load_n(&chaos->stop, __ATOMIC_ACQUIRE)) {
		fd = __atomic_load_n(&chaos->slots[next_random(&self->seed) % SLOTS],
				     __ATOMIC_RELAXED);
		fd = fd < 0 ? -1 : dup(fd);
		if (fd < 0) {
			sched_yield();
			continue;
		}
		if (read(fd, &event, sizeof(event)) != sizeof(event) ||
		    (event.err != ECANCELED && event.err != ETIMEDOUT))
			__atomic_store_n(&chaos->odd, 1, __ATOMIC_RELAXED);
		close(fd);
	}
	return NULL;
}

static int run_chaos(int bg, int rounds, unsigned int seed)
{
	struct chaos chaos = { .top = ctx_derive(bg, 0), .rounds = rounds };
	struct worker workers[6];
	pthread_t threads[6];
	int i;

	for (i = 0; i < SLOTS; i++)
		chaos.slots[i] = -1;
	for (i = 0; i < 6; i++) {
		workers[i] = (struct worker){ .chaos = &chaos, .seed = seed + i };
		if (pthread_create(&threads[i], NULL, i < 4 ? worker : reader, &workers[i]))
			return -1;
	}
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	__atomic_store_n(&chaos.stop, true, __ATOMIC_RELEASE);
	if (ctx_cancel(chaos.top, EIO))
		return -1;
	for (i = 4; i < 6; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < SLOTS; i++) {
		if (chaos.slots[i] < 0)
			continue;
		if (!is_ready(chaos.slots[i]))
			return -1;
		close(chaos.slots[i]);
	}
	close(chaos.top);
	return chaos.odd;
}

TEST_F(race, threads_on_shared_descriptors)
{
	pid_t pid = spawn();

	if (!pid) {
		become(USER);
		EXPECT_EQ(0, run_chaos(self->bg, 3000, 1));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	expect_nothing_left(_metadata, self);
}

/* Deriving while the parent is cancelled: the child is done once both are back. */

#define DUEL_ROUNDS	400

struct duel {
	pthread_barrier_t start, end;
	int parent, child[2];
	int how;
};

static void *duellist(void *arg)
{
	struct duel *duel = arg;
	int i;

	for (i = 0; i < DUEL_ROUNDS; i++) {
		pthread_barrier_wait(&duel->start);
		duel->child[0] = i & 1 ? ctx_timeout(duel->parent, AN_HOUR, 0) :
				 ctx_derive(duel->parent, 0);
		duel->child[1] = ctx_set(duel->child[0], "k", "v");
		pthread_barrier_wait(&duel->end);
	}
	return NULL;
}

TEST_F(race, s5_deriving_against_cancelling)
{
	struct duel duel = {};
	pthread_t thread;
	int i;

	pthread_barrier_init(&duel.start, NULL, 2);
	pthread_barrier_init(&duel.end, NULL, 2);
	ASSERT_EQ(0, pthread_create(&thread, NULL, duellist, &duel));
	for (i = 0; i < DUEL_ROUNDS; i++) {
		duel.parent = ctx_derive(self->bg, 0);
		pthread_barrier_wait(&duel.start);
		EXPECT_EQ(0, ctx_cancel(duel.parent, EIO));
		pthread_barrier_wait(&duel.end);
		EXPECT_TRUE(same_end(duel.parent, duel.child[0]));
		EXPECT_TRUE(is_done(duel.child[1], ECANCELED, EIO));
		close(duel.child[1]);
		close(duel.child[0]);
		close(duel.parent);
	}
	pthread_join(thread, NULL);
}

/* A deadline that fires while it is cancelled, closed and derived from. */
TEST_F(race, s8_an_expiry_against_everything)
{
	int i, fd, child, value, err, cause;

	for (i = 0; i < 500; i++) {
		fd = ctx_timeout(self->bg, i % 100 * 2000, EPIPE);
		ASSERT_LE(0, fd);
		child = ctx_derive(fd, 0);
		value = ctx_set(child, "k", "v");
		switch (i % 3) {
		case 0:
			EXPECT_EQ(0, ctx_cancel(fd, EIO));
			break;
		case 1:
			close(fd);
			fd = -1;
			break;
		}
		EXPECT_TRUE(wait_ready(value));
		err = ctx_err(value);
		cause = ctx_cause(value);
		EXPECT_TRUE((err == ETIMEDOUT && cause == EPIPE) ||
			    (err == ECANCELED && cause == (i % 3 ? EOWNERDEAD : EIO)));
		EXPECT_TRUE(same_end(child, value));
		EXPECT_TRUE(fd < 0 || same_end(fd, value));
		close(value);
		close(child);
		close(fd);
	}
}

/* Processes that are killed at any moment */

static void mayhem(int top, int pipe, unsigned int seed)
{
	int fds[SLOTS], i, *slot, when = next_random(&seed) % 200;

	for (i = 0; i < SLOTS; i++)
		fds[i] = -1;
	for (i = 0;; i++) {
		slot = &fds[next_random(&seed) % SLOTS];
		switch (next_random(&seed) % 4) {
		case 0:
			ctx_cancel(*slot, EPIPE);
			break;
		case 1:
			poll_events(*slot, POLLIN, 0);
			break;
		default:
			close(*slot);
			*slot = derive_any(*slot, &seed);
			if (*slot < 0)
				*slot = derive_any(top, &seed);
			break;
		}
		if (i == when)
			tell(pipe);
	}
}

TEST_F(race, processes_killed_at_random)
{
	int ready[2], top = ctx_derive(self->bg, 0), i, j;
	pid_t pids[4];

	ASSERT_LE(0, top);
	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	for (i = 0; i < 20; i++) {
		for (j = 0; j < 4; j++) {
			pids[j] = spawn();
			ASSERT_LE(0, pids[j]);
			if (!pids[j]) {
				become(USER);
				mayhem(top, ready[1], 16 * i + j);
			}
		}
		for (j = 0; j < 4; j++)
			ASSERT_TRUE(hear(ready[0]));
		for (j = 0; j < 4; j++) {
			ASSERT_EQ(0, kill(pids[j], SIGKILL));
			EXPECT_EQ(KILLED, reap(pids[j]));
		}
	}
	EXPECT_TRUE(is_live(top));
	close(top);
	close(ready[0]);
	close(ready[1]);
	expect_nothing_left(_metadata, self);
}

/* Somebody changes the structure while the kernel reads it. */

struct flipper {
	struct ctx_ioc_value arg;
	bool stop;
};

static void put(__u32 *where, __u32 value)
{
	__atomic_store_n(where, value, __ATOMIC_RELAXED);
}

static void *flip(void *data)
{
	struct flipper *flipper = data;
	struct ctx_ioc_value *arg = &flipper->arg;

	while (!__atomic_load_n(&flipper->stop, __ATOMIC_RELAXED)) {
		put(&arg->size, 0);
		put(&arg->key_len, UINT32_MAX);
		put(&arg->value_len, UINT32_MAX);
		put(&arg->size, UINT32_MAX);
		put(&arg->size, sizeof(*arg));
		put(&arg->key_len, CTX_KEY_MAX);
		put(&arg->value_len, 0);
		put(&arg->value_len, CTX_VALUE_MAX);
	}
	return NULL;
}

TEST_F(race, an_argument_that_changes)
{
	static char key[CTX_KEY_MAX], value[CTX_VALUE_MAX];
	struct flipper flipper = {
		.arg = {
			.size = sizeof(flipper.arg),
			.key = to_u64(key),
			.value = to_u64(value),
			.key_len = CTX_KEY_MAX,
			.value_len = CTX_VALUE_MAX,
		},
	};
	int i, fd, holder = ctx_with_value(self->bg, key, sizeof(key), value, sizeof(value));
	pthread_t thread;

	ASSERT_LE(0, holder);
	ASSERT_EQ(0, pthread_create(&thread, NULL, flip, &flipper));
	for (i = 0; i < 1000; i++) {
		fd = ctx_request(self->bg, CTX_IOC_WITH_VALUE, &flipper.arg);
		EXPECT_TRUE(fd >= 0 || fd == -EINVAL || fd == -E2BIG || fd == -EFAULT);
		if (fd >= 0)
			close(fd);
		ctx_request(holder, CTX_IOC_VALUE, &flipper.arg);
	}
	__atomic_store_n(&flipper.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	close(holder);
	fd = ctx_set(self->bg, "k", "v");
	EXPECT_STREQ("v", ctx_get(fd, "k"));
	close(fd);
}

/* Derived, cancelled and closed again and again on one parent (S7). */
TEST_F(race, s7_many_rounds_leave_nothing)
{
	int parent, fd, i;
	pid_t pid = spawn();

	if (!pid) {
		become(USER);
		parent = ctx_derive(self->bg, 0);
		for (i = 0; i < 8000; i++) {
			switch (i % 4) {
			case 0:
				fd = ctx_timeout(parent, AN_HOUR, 0);
				break;
			case 1:
				fd = ctx_set(parent, "k", "v");
				break;
			default:
				fd = ctx_derive(parent, 0);
				break;
			}
			if (i % 4 == 2)
				ctx_cancel(fd, 0);
			close(fd);
		}
		EXPECT_TRUE(is_live(parent));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	expect_nothing_left(_metadata, self);
}

TEST_HARNESS_MAIN
