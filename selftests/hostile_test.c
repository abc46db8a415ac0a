// SPDX-License-Identifier: GPL-2.0
/*
 * What somebody without privileges can take from others who wants to: in a memory cgroup
 * of 32 MiB, and that is what he gets. Each attempt goes on until something refuses, or
 * kills him, and is still there when it is looked at: how much it came to, to whom that
 * was charged, that another user goes on, and that all of it comes back.
 */
#include "ctx_module.h"
#include "ctx_test.h"
#include "memory.h"

#include <linux/membarrier.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define GROUP			CGROUPS "/ctx_hostile_test"
#define DELEGATED		GROUP "/delegated"
#define MAX_USER_CONTEXTS	CTX_PARAMETERS "max_user_contexts"
#define IRQSOFF			CTX_PARAMETERS "irqsoff"
#define KMEMLEAK		"/sys/kernel/debug/kmemleak"
#define DEFAULT_CONTEXTS	65536
#define DEFAULT_FILES		4096
#define DEFAULT_DEPTH		1024

#define MB			1048576LL
#define GROUP_MAX		(32 * MB)
/* With sanitizers, where a context takes a millisecond. */
#define GROUP_MAX_SLOW		(4 * MB)
/* What a group may be above its bound: what each CPU has charged in advance. */
#define OVER			MB
/*
 * What there may be more in slabs than is charged: they are whole pages, of which others
 * on this machine have some, too; and security modules charge nobody for what they keep
 * of a file. An allocation of ours that is charged to nobody comes to more.
 */
#define UNCHARGED		MB
#define UNCHARGED_FILE		32

/* What an attempt came to. Shared: he who makes it may be killed at any moment. */
struct tally {
	long made;
	int stop;	/* the errno that ended it */
	long long ns;	/* what a context costs somebody else meanwhile */
};

FIXTURE(hostile) {
	int bg;
	int pair[2];
	uid_t user, other;	/* whom no other test has charged */
	struct tally *tally;
	long long max;		/* bytes that the group may have */
	int above;		/* descriptors of an attempt are from here on */
	long long live;
	long long users;
};

FIXTURE_SETUP(hostile)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, self->pair));
	self->user = 30000 + 2 * getpid();
	self->other = self->user + 1;
	self->tally = mmap(NULL, sizeof(*self->tally), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->tally);
	*self->tally = (struct tally){};
	/* For what it has in common with others, too: see spawn_sharing(). */
	ASSERT_TRUE(allow_files(1 << 20));
	ASSERT_TRUE(write_file(CGROUPS "/cgroup.subtree_control", "+memory"));
	rmdir(DELEGATED);
	rmdir(GROUP);
	ASSERT_EQ(0, mkdir(GROUP, 0755));
	self->max = access(KMEMLEAK, F_OK) ? GROUP_MAX : GROUP_MAX_SLOW;
	ASSERT_TRUE(write_number(GROUP "/memory.max", self->max));
	self->above = next_fd();
	self->live = read_field(CTX_COUNTERS, "live");
	ASSERT_LE(0, self->live);
	self->users = read_number(REFCNT);
}

FIXTURE_TEARDOWN(hostile)
{
	write_number(MAX_USER_CONTEXTS, DEFAULT_CONTEXTS);
	write_number(IRQSOFF, 0);
	close(self->pair[0]);
	close(self->pair[1]);
	close(self->bg);
	munmap(self->tally, sizeof(*self->tally));
	rmdir(DELEGATED);
	/* Whoever was killed has left the group, but perhaps not yet. */
	while (rmdir(GROUP) && errno == EBUSY)
		sched_yield();
}

/* The group, and no privileges, from here on. */
static void join_as(uid_t uid)
{
	if (!write_file(GROUP "/cgroup.procs", "0"))
		_exit(98);
	become(uid);
}

/*
 * A process that has its descriptors in common with this one: what it holds is held when
 * it has been killed.
 */
static pid_t spawn_sharing(void)
{
	return syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
}

/* What was measured, for people. */
static void __attribute__((format(printf, 1, 2))) note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("# hostile: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

/* Two users of the same machine */

/* What everybody does, whatever somebody else is at. */
static bool work_goes_on(int bg)
{
	int ctx = ctx_derive(bg, 0), value = ctx_set(ctx, "k", "v");
	int late = ctx_timeout(ctx, NSEC_PER_SEC / 1000, EIO);
	int event = eventfd(0, EFD_CLOEXEC);
	__u64 count = 0;
	bool good;

	good = must(ctx >= 0) && must(value >= 0) && must(late >= 0) &&
	       must(ctx_on_done(ctx, event, NULL, 0) == 0) &&
	       must(wait_ready(late)) && must(is_done(late, ETIMEDOUT, EIO)) &&
	       must(!strcmp(ctx_get(value, "k"), "v")) && must(is_live(ctx)) &&
	       must(ctx_cancel(ctx, EPIPE) == 0) && must(is_done(value, ECANCELED, EPIPE)) &&
	       must(wait_ready(event)) && must(read(event, &count, 8) == 8) && must(count == 1);
	close(event);
	close(late);
	close(value);
	close(ctx);
	return good;
}

/* The least of many times: nobody came in between. A ns is an instruction in counted mode. */
static long long cost_of_a_context(int bg)
{
	long long least = INT64_MAX, ns;
	int i, fd;

	for (i = 0; i < 64; i++) {
		ns = now();
		fd = ctx_derive(bg, 0);
		ctx_cancel(fd, 0);
		close(fd);
		ns = now() - ns;
		if (ns < least)
			least = ns;
	}
	return least;
}

static void expect_others_go_on(struct __test_metadata *_metadata, fixture_self(hostile))
{
	pid_t pid = spawn();

	if (!pid) {
		become(self->other);
		EXPECT_TRUE(work_goes_on(self->bg));
		self->tally->ns = cost_of_a_context(self->bg);
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
}

TEST_F(hostile, nobody)
{
	expect_others_go_on(_metadata, self);
	note("nobody: a context costs %lld ns", self->tally->ns);
}

/* Memory */

struct usage {
	long long slab;		/* of the whole machine, but for what debugs it */
	long long charged;	/* of that, to the group */
	long long group;	/* all that is charged to it */
};

#define SLABINFO "%63s %*d %*d %*d %*d %lld : tunables %*d %*d %*d : slabdata %*d %lld"

/* What kmemleak and the like remember of each allocation. */
static long long slabs_of_debugging(void)
{
	FILE *file = fopen("/proc/slabinfo", "re");
	long long sum = 0, slabs, pages;
	char line[512], name[64];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, SLABINFO, name, &pages, &slabs) == 3 &&
		    (!strncmp(name, "kmemleak_", 9) || !strncmp(name, "debug_objects_", 14)))
			sum += slabs * pages * sysconf(_SC_PAGESIZE);
	if (file)
		fclose(file);
	return sum;
}

/*
 * What has been freed is charged to nobody, and yet in slabs until it has been given back,
 * by whomever: each reading of a file leaves some.
 */
static struct usage usage(void)
{
	must(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0);
	give_back_of("*");
	return (struct usage){
		.slab = read_field("/proc/meminfo", "Slab") * 1024 - slabs_of_debugging(),
		.charged = read_field(GROUP "/memory.stat", "slab"),
		.group = read_number(GROUP "/memory.current"),
	};
}

static long long uncharged(const struct usage *before, const struct usage *after)
{
	return after->slab - before->slab - (after->charged - before->charged);
}

static void print_usage(const char *what, const struct tally *tally, bool killed,
			const struct usage *before, const struct usage *after)
{
	note("%s: %ld, ended by %s", what, tally->made, killed ? "the OOM killer" :
	     tally->stop ? strerrorname_np(tally->stop) : "nothing");
	note("  KiB: %lld charged, %lld at most, %lld of slabs, %lld of them not charged",
	     (after->group - before->group) / 1024, read_number(GROUP "/memory.peak") / 1024,
	     (after->slab - before->slab) / 1024, uncharged(before, after) / 1024);
	note("  a context of another user costs %lld ns", tally->ns);
}

struct attempt {
	const char *what;
	int (*one)(fixture_self(hostile));	/* one more, or a negative errno */
	long enough;	/* it is no use to go on */
	int stop;	/* what may end it, but for ENOMEM and his being killed */
	int files;	/* open for each that there is */
	bool scattered;	/* much is freed between what is kept */
};

static void go_on(fixture_self(hostile), const struct attempt *attempt)
{
	int ret = 0;

	while (self->tally->made < attempt->enough) {
		ret = attempt->one(self);
		if (ret < 0)
			break;
		self->tally->made++;
	}
	self->tally->stop = ret < 0 ? -ret : 0;
}

/* He waits to be told to begin: then what it takes to be there has been taken. */
static pid_t start(fixture_self(hostile), const struct attempt *attempt)
{
	pid_t pid = spawn_sharing();

	if (pid)
		return pid;
	join_as(self->user);
	tell(self->pair[1]);
	hear(self->pair[1]);
	go_on(self, attempt);
	_exit(0);
}

static void wait_released(fixture_self(hostile))
{
	while (read_field(CTX_COUNTERS, "live") > self->live)
		sched_yield();
}

static void wait_given_back(fixture_self(hostile), const struct usage *before)
{
	wait_released(self);
	while (read_number(GROUP "/memory.current") > before->group + OVER)
		give_back_to(GROUP);
}

/* By what may stop him. */
static bool is_stopped(fixture_self(hostile), const struct attempt *attempt, int status)
{
	if (status == KILLED)
		return must(read_field(GROUP "/memory.events", "oom_kill") > 0);
	return must(status == 0) &&
	       must(self->tally->made == attempt->enough ||
		    self->tally->stop == attempt->stop || self->tally->stop == ENOMEM);
}

/* Whatever he has had, it does not count any more once it is gone. */
static void expect_room_again(struct __test_metadata *_metadata, fixture_self(hostile))
{
	pid_t pid = spawn();
	int ctx, event, ret;

	if (!pid) {
		become(self->user);
		event = eventfd(0, EFD_CLOEXEC);
		while ((ctx = ctx_derive(self->bg, 0)) == -EDQUOT)
			sched_yield();
		while ((ret = ctx_on_done(ctx, event, NULL, 0)) == -EDQUOT)
			sched_yield();
		EXPECT_EQ(0, ret);
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
}

static void expect_bounded(struct __test_metadata *_metadata, fixture_self(hostile),
			   const struct attempt *attempt)
{
	struct usage before, after;
	pid_t pid = start(self, attempt);
	int status;

	ASSERT_LT(0, pid);
	ASSERT_TRUE(hear(self->pair[0]));
	before = usage();
	ASSERT_TRUE(tell(self->pair[0]));
	status = reap(pid);
	after = usage();
	expect_others_go_on(_metadata, self);
	print_usage(attempt->what, self->tally, status == KILLED, &before, &after);

	EXPECT_TRUE(is_stopped(self, attempt, status));
	EXPECT_LT(0, self->tally->made);
	EXPECT_GE(self->max + OVER, read_number(GROUP "/memory.peak"));
	/*
	 * Where nothing that was freed is used again at once, what is kept in between has
	 * slabs for itself, and how many is chance.
	 */
	if (!attempt->scattered || self->max == GROUP_MAX)
		EXPECT_GE(UNCHARGED + self->tally->made * attempt->files * UNCHARGED_FILE,
			  uncharged(&before, &after));

	EXPECT_EQ(0, close_range(self->above, ~0U, 0));
	rmdir(DELEGATED);
	wait_given_back(self, &before);
	expect_room_again(_metadata, self);
}

static int one_descriptor(fixture_self(hostile))
{
	static int ctx;

	if (!self->tally->made)
		ctx = ctx_derive(self->bg, 0);
	return ctx_restrict(ctx, CTX_RIGHT_OBSERVE);
}

TEST_F(hostile, descriptors)
{
	static const struct attempt attempt = {
		"descriptors of a context", one_descriptor, 1 << 20, EMFILE, 1,
	};

	expect_bounded(_metadata, self, &attempt);
}

static int one_context(fixture_self(hostile))
{
	return ctx_derive(self->bg, 0);
}

TEST_F(hostile, contexts)
{
	static const struct attempt attempt = {
		"contexts", one_context, DEFAULT_CONTEXTS + 1, EDQUOT, 1,
	};

	expect_bounded(_metadata, self, &attempt);
	EXPECT_GE(DEFAULT_CONTEXTS, self->tally->made);
}

static int one_timer(fixture_self(hostile))
{
	return ctx_timeout(self->bg, AN_HOUR + self->tally->made, 0);
}

TEST_F(hostile, timers)
{
	static const struct attempt attempt = {
		"contexts with timers", one_timer, DEFAULT_CONTEXTS + 1, EDQUOT, 1,
	};

	expect_bounded(_metadata, self, &attempt);
	EXPECT_GE(DEFAULT_CONTEXTS, self->tally->made);
}

/*
 * The next one in a chain, of which only the last is open; another chain, where that may
 * go no deeper.
 */
static int lengthen(fixture_self(hostile), int (*derive)(int fd))
{
	static int last;
	int fd;

	if (self->tally->made % DEFAULT_DEPTH == 0)
		last = self->bg;
	fd = derive(last);
	if (fd < 0)
		return fd;
	if (last != self->bg)
		close(last);
	last = fd;
	return 0;
}

static int derive_kept(int fd)
{
	return ctx_derive(fd, CTX_DERIVE_KEEP);
}

static int one_below(fixture_self(hostile))
{
	return lengthen(self, derive_kept);
}

TEST_F(hostile, contexts_without_descriptors)
{
	static const struct attempt attempt = {
		"contexts without descriptors", one_below, DEFAULT_CONTEXTS + 1, EDQUOT, 0,
	};

	expect_bounded(_metadata, self, &attempt);
	EXPECT_GE(DEFAULT_CONTEXTS, self->tally->made);
}

static char bytes[CTX_VALUE_MAX];

static int derive_value(int fd)
{
	return ctx_with_value(fd, "key", 3, bytes, sizeof(bytes));
}

static int one_value(fixture_self(hostile))
{
	return lengthen(self, derive_value);
}

TEST_F(hostile, values)
{
	static const struct attempt attempt = {
		"values of 4096 bytes", one_value, DEFAULT_CONTEXTS + 1, EDQUOT, 0,
	};

	expect_bounded(_metadata, self, &attempt);
	EXPECT_GE(self->max / CTX_VALUE_MAX, self->tally->made);
}

/* Each has a key of its own, for what makes them found. */
static int derive_key(int fd)
{
	static long nr;

	nr++;
	memcpy(bytes, &nr, sizeof(nr));
	return ctx_with_value(fd, bytes, CTX_KEY_MAX, NULL, 0);
}

static int one_key(fixture_self(hostile))
{
	return lengthen(self, derive_key);
}

TEST_F(hostile, keys)
{
	static const struct attempt attempt = {
		"keys of 256 bytes", one_key, DEFAULT_CONTEXTS + 1, EDQUOT, 0,
	};

	expect_bounded(_metadata, self, &attempt);
	EXPECT_GE(self->max / CTX_KEY_MAX, self->tally->made);
}

static int one_watch(fixture_self(hostile))
{
	static int ctx, event;

	if (!self->tally->made) {
		ctx = ctx_derive(self->bg, 0);
		event = eventfd(0, EFD_CLOEXEC);
	}
	return ctx_watch(ctx, event, 0, 0);
}

TEST_F(hostile, watches)
{
	static const struct attempt attempt = {
		"watches", one_watch, DEFAULT_FILES + 1, EDQUOT, 0,
	};

	expect_bounded(_metadata, self, &attempt);
	EXPECT_GE(DEFAULT_FILES, self->tally->made);
}

static int one_link(fixture_self(hostile))
{
	static int ctx, other;

	if (!self->tally->made) {
		ctx = ctx_derive(self->bg, 0);
		other = ctx_derive(self->bg, 0);
	}
	return ctx_link(ctx, other);
}

TEST_F(hostile, links)
{
	static const struct attempt attempt = {
		"links", one_link, DEFAULT_FILES + 1, EDQUOT, 0,
	};

	expect_bounded(_metadata, self, &attempt);
	EXPECT_GE(DEFAULT_FILES, self->tally->made);
}

static int one_on_done(fixture_self(hostile))
{
	static int ctx, fds[2];

	if (!self->tally->made) {
		ctx = ctx_derive(self->bg, 0);
		if (pipe2(fds, O_CLOEXEC))
			return -errno;
	}
	return ctx_on_done(ctx, fds[1], bytes, CTX_ON_DONE_MAX);
}

TEST_F(hostile, on_dones)
{
	static const struct attempt attempt = {
		"on-dones of 4096 bytes", one_on_done, DEFAULT_FILES + 1, EDQUOT, 0,
	};

	expect_bounded(_metadata, self, &attempt);
	EXPECT_GE(DEFAULT_FILES, self->tally->made);
}

/* The one before lasts until a grace period is over. */
static int one_binding(fixture_self(hostile))
{
	static int ctx[2], procs;

	if (!self->tally->made) {
		ctx[0] = ctx_derive(self->bg, 0);
		ctx[1] = ctx_derive(self->bg, 0);
		procs = open(DELEGATED "/cgroup.procs", O_WRONLY | O_CLOEXEC);
	}
	return ctx_bind(ctx[self->tally->made & 1], procs);
}

TEST_F(hostile, bindings)
{
	static const struct attempt attempt = {
		"bindings of one cgroup", one_binding, 5000, EDQUOT, 0,
	};

	ASSERT_EQ(0, mkdir(DELEGATED, 0755));
	ASSERT_EQ(0, chown(DELEGATED "/cgroup.procs", self->user, -1));
	expect_bounded(_metadata, self, &attempt);
}

/* 64 numbers are remembered as a block, for as long as there is one of them. */
static int one_of_64(fixture_self(hostile))
{
	static __u64 last;
	__u64 id;
	int fd, n;

	for (n = 0; n < 63; n++) {
		fd = ctx_derive(self->bg, 0);
		if (fd < 0)
			return fd;
		close(fd);
	}
	fd = ctx_derive(self->bg, 0);
	id = fd < 0 ? last : ctx_id(fd);
	/* Never again, in this order, and no faster than they were made. */
	if (fd >= 0 && (id <= last || (last && id - last < 64)))
		return -EPROTO;
	last = id;
	return fd;
}

TEST_F(hostile, numbers)
{
	static const struct attempt attempt = {
		"contexts, one in each block of 64 numbers", one_of_64, 200, 0, 1, true,
	};

	expect_bounded(_metadata, self, &attempt);
}

/* More users than one */

/* In a user namespace of his own, in which he keeps his number. */
static bool nest(uid_t uid)
{
	char map[64];

	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	return must(unshare(CLONE_NEWUSER) == 0) && must(prctl(PR_SET_DUMPABLE, 1) == 0) &&
	       must(write_file("/proc/self/setgroups", "deny")) &&
	       must(map_ids(getpid(), map));
}

#define USERS	8
#define NESTED	3

static const struct attempt as_many_users = { "contexts of 8 users, in 4 namespaces", one_context,
					      DEFAULT_CONTEXTS + 1, EDQUOT, 1 };

static void be_many(struct __test_metadata *_metadata, fixture_self(hostile))
{
	uid_t uid;
	pid_t pid;
	int i;

	for (uid = 1; uid <= USERS; uid++) {
		pid = spawn_sharing();
		if (!pid) {
			become(uid);
			for (i = 0; i < NESTED; i++)
				EXPECT_TRUE(nest(uid));
			go_on(self, &as_many_users);
			EXPECT_EQ(EDQUOT, self->tally->stop);
			child_exit();
		}
		EXPECT_EQ(0, reap(pid));
	}
}

TEST_F(hostile, more_users)
{
	struct usage before, after;
	pid_t pid;

	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 1500));
	pid = spawn_sharing();
	if (!pid) {
		join_as(self->user);
		EXPECT_EQ(0, unshare(CLONE_NEWUSER));
		EXPECT_TRUE(tell(self->pair[1]));
		EXPECT_TRUE(hear(self->pair[1]));
		become(0);
		be_many(_metadata, self);
		child_exit();
	}
	ASSERT_TRUE(hear(self->pair[0]));
	ASSERT_TRUE(map_ids(pid, "0 200000000 10"));
	before = usage();
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
	after = usage();
	expect_others_go_on(_metadata, self);
	print_usage(as_many_users.what, self->tally, false, &before, &after);
	/* Together they have what he has whose namespace it is. */
	EXPECT_EQ(1500, self->tally->made);
	EXPECT_GE(UNCHARGED + self->tally->made * UNCHARGED_FILE, uncharged(&before, &after));
	EXPECT_EQ(0, close_range(self->above, ~0U, 0));
	wait_given_back(self, &before);
	expect_room_again(_metadata, self);
}

/* Time */

/* All there is expires at one moment, in which somebody else has a deadline, too. */
#define EXPIRING	2000

static __u64 moment;

static int one_expiring(fixture_self(hostile))
{
	return ctx_deadline(self->bg, moment, 0);
}

static const struct attempt at_one_moment = { "deadlines at one moment", one_expiring,
					      EXPIRING, 0, 1 };

static void expect_all_have_expired(struct __test_metadata *_metadata, fixture_self(hostile),
				    int first)
{
	struct ctx_ioc_info info;
	int i;

	for (i = 0; i < self->tally->made; i++) {
		ASSERT_TRUE(wait_ready(first + i));
		ASSERT_EQ(0, ctx_info(first + i, &info));
		ASSERT_EQ(ETIMEDOUT, info.err);
		ASSERT_LE(moment, info.done_time);
	}
}

TEST_F(hostile, deadlines_at_one_moment)
{
	struct usage before;
	int mine, first;
	pid_t pid;

	moment = now() + 2 * NSEC_PER_SEC;
	mine = ctx_deadline(self->bg, moment, EIO);
	first = next_fd();
	pid = start(self, &at_one_moment);
	ASSERT_TRUE(hear(self->pair[0]));
	before = usage();
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(EXPIRING, self->tally->made);
	ASSERT_TRUE(wait_ready(mine));
	EXPECT_TRUE(is_done(mine, ETIMEDOUT, EIO));
	expect_all_have_expired(_metadata, self, first);
	note("%s: %ld expired, none early", at_one_moment.what, self->tally->made);
	expect_others_go_on(_metadata, self);
	EXPECT_EQ(0, close_range(self->above, ~0U, 0));
	wait_given_back(self, &before);
	expect_room_again(_metadata, self);
}

#define BRANCHES	20
#define LEAVES		50

/* Builds a tree and fells it, again and again. */
static void fell_trees(fixture_self(hostile))
{
	int i, j;

	for (;;) {
		int top = ctx_derive(self->bg, 0);

		for (i = 0; i < BRANCHES; i++) {
			int branch = ctx_derive(top, CTX_DERIVE_KEEP);

			for (j = 0; j < LEAVES; j++)
				if (ctx_derive(branch, 0) < 0)
					_exit(1);
		}
		ctx_cancel(top, 0);
		close_range(self->above, ~0U, 0);
		if (!self->tally->made++)
			tell(self->pair[1]);
	}
}

/* What they share: Background, the lock of the accounts, the workers. */
TEST_F(hostile, trees_being_felled)
{
	pid_t pid = spawn(), other;
	long felled;
	int i;

	if (!pid) {
		join_as(self->user);
		fell_trees(self);
	}
	EXPECT_TRUE(write_number(IRQSOFF, 1));
	ASSERT_TRUE(hear(self->pair[0]));
	felled = self->tally->made;
	other = spawn();
	if (!other) {
		become(self->other);
		for (i = 0; i < 100; i++)
			EXPECT_TRUE(work_goes_on(self->bg));
		self->tally->ns = cost_of_a_context(self->bg);
		child_exit();
	}
	EXPECT_EQ(0, reap(other));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(KILLED, reap(pid));
	note("trees of %d felled: %ld, while another user did 100 rounds",
	     1 + BRANCHES * (1 + LEAVES), self->tally->made - felled);
	note("  %lld ns with interrupts off at most; a context of another user costs %lld ns",
	     read_field(CTX_COUNTERS, "irqsoff_ns"), self->tally->ns);
	wait_released(self);
}

#define FULL	1000

static int one_full_pipe(fixture_self(hostile))
{
	static int ctx, fds[2];
	int ret;

	if (!self->tally->made) {
		ctx = ctx_derive(self->bg, 0);
		if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
			return -errno;
		while (write(fds[1], bytes, sizeof(bytes)) > 0)
			;
	}
	ret = ctx_on_done(ctx, fds[1], "x", 1);
	if (!ret && self->tally->made == FULL - 1 &&
	    (ctx_cancel(ctx, 0) || written(ctx) != EAGAIN))
		return -EPROTO;
	return ret;
}

/* No write waits for room. Who holds up those that wait for a lock: see ondone_owner_test. */
TEST_F(hostile, full_pipes)
{
	static const struct attempt attempt = {
		"on-dones to a full pipe", one_full_pipe, FULL, 0, 0,
	};

	expect_bounded(_metadata, self, &attempt);
	EXPECT_EQ(FULL, self->tally->made);
}

/* Other users themselves */

#define STORM	500

/* Whoever may not signal somebody has the kernel send him nothing either. */
TEST_F(hostile, signals_to_others)
{
	pid_t victim = spawn(), pid;
	int i, ctx;

	if (!victim) {
		become(self->other);
		if (setpgid(0, 0) || !tell(self->pair[1]))
			_exit(1);
		hear(self->pair[1]);
		child_exit();
	}
	ASSERT_TRUE(hear(self->pair[0]));
	pid = spawn();
	if (!pid) {
		join_as(self->user);
		EXPECT_EQ(-1, kill(victim, SIGKILL));
		for (i = 0; i < STORM; i++) {
			ctx = ctx_derive(self->bg, 0);
			EXPECT_EQ(0, fcntl(ctx, F_SETOWN, i & 1 ? victim : -victim));
			EXPECT_EQ(0, fcntl(ctx, F_SETSIG, i & 2 ? SIGKILL : 0));
			EXPECT_EQ(0, fcntl(ctx, F_SETFL, O_ASYNC));
			EXPECT_EQ(0, ctx_cancel(ctx, 0));
			close(ctx);
		}
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	/* It is there to be told to go, and does so by itself. */
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(victim));
	note("signals to another user: 0 of %d came", STORM);
}

#define THEIRS	200

static long count_mine(int bg, __u64 first, __u64 last)
{
	long n = 0;
	__u64 id;

	for (id = ctx_next(bg, first - 1); id && id <= last; id = ctx_next(bg, id))
		n++;
	return n;
}

TEST_F(hostile, contexts_of_others_by_number)
{
	__u64 first = 0, id;
	int fds[THEIRS], i;
	pid_t pid;

	for (i = 0; i < THEIRS; i++)
		fds[i] = ctx_derive(self->bg, 0);
	first = ctx_id(fds[0]);
	pid = spawn();
	if (!pid) {
		join_as(self->user);
		id = ctx_id(ctx_derive(self->bg, 0));
		EXPECT_EQ(1, count_mine(self->bg, first, id));
		while (--id >= first)
			EXPECT_EQ(-EPERM, ctx_open_id(self->bg, id, CTX_RIGHT_OBSERVE));
		/* Nor as root of a namespace of his own. */
		EXPECT_EQ(0, unshare(CLONE_NEWUSER));
		for (id = first; id < first + THEIRS; id++)
			EXPECT_EQ(-EPERM, ctx_open_id(self->bg, id, 0));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	for (i = 0; i < THEIRS; i++) {
		EXPECT_TRUE(is_live(fds[i]));
		close(fds[i]);
	}
	note("contexts of another user: 0 of %d opened", 2 * THEIRS);
}

/* The module */

/* A context that is nowhere open, but on its way in sockets that only know each other. */
static bool set_adrift(int bg)
{
	int ctx = ctx_derive(bg, 0), pair[2], fds[3];

	if (ctx < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return false;
	/* Refused once there are so many; both ends stay open here, so that none is collected. */
	fds[0] = ctx;
	fds[1] = pair[0];
	fds[2] = pair[1];
	if (!send_fds(pair[0], fds, 3))
		return false;
	close(ctx);
	return true;
}

#define ADRIFT	600

TEST_F(hostile, adrift_in_sockets)
{
	int other[2];
	pid_t pid = spawn();

	if (!pid) {
		join_as(self->user);
		/* As many may be on their way as may be open. */
		EXPECT_TRUE(allow_files(ADRIFT));
		while (set_adrift(self->bg))
			self->tally->made++;
		self->tally->stop = errno;
		EXPECT_TRUE(tell(self->pair[1]));
		for (;;)
			pause();
	}
	ASSERT_TRUE(hear(self->pair[0]));
	EXPECT_EQ(ETOOMANYREFS, self->tally->stop);
	EXPECT_LE(self->live + self->tally->made, read_field(CTX_COUNTERS, "live"));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(KILLED, reap(pid));
	/* They are collected when some socket is closed. */
	while (read_field(CTX_COUNTERS, "live") > self->live) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, other));
		close(other[0]);
		close(other[1]);
	}
	note("contexts in sockets: %ld, ended by %s; none is left of who was killed",
	     self->tally->made, strerrorname_np(self->tally->stop));
}

/* A process that has a bit of all, and waits. */
static void hold_on(struct __test_metadata *_metadata, fixture_self(hostile), int i)
{
	int ctx = ctx_derive(self->bg, i & 1 ? CTX_DERIVE_KEEP : 0), other, event, fds[2];
	struct ctx_event done;

	event = eventfd(0, EFD_CLOEXEC);
	EXPECT_EQ(0, pipe2(fds, 0));
	other = ctx_timeout(self->bg, AN_HOUR, 0);
	EXPECT_EQ(0, ctx_link(ctx, other));
	EXPECT_EQ(0, ctx_watch(ctx, event, 0, 0));
	EXPECT_EQ(0, ctx_on_done(ctx, fds[1], "x", 1));
	EXPECT_EQ(0, ctx_on_done(other, event, NULL, 0));
	EXPECT_EQ(0, fcntl(ctx, F_SETOWN, getpid()));
	EXPECT_EQ(0, fcntl(ctx, F_SETFL, O_ASYNC));
	EXPECT_LE(0, ctx_with_value(ctx, "key", 3, bytes, sizeof(bytes)));
	EXPECT_EQ(0, fcntl(ctx, F_SETFD, 0));
	EXPECT_TRUE(set_adrift(ctx));
	EXPECT_TRUE(tell(self->pair[1]));
	if (read(ctx, &done, sizeof(done)) < 0)
		_exit(1);
	_exit(0);
}

#define HOLDERS	20

TEST_F(hostile, keeping_the_module)
{
	pid_t pids[HOLDERS];
	int i;

	for (i = 0; i < HOLDERS; i++) {
		pids[i] = spawn();
		if (!pids[i]) {
			join_as(self->user);
			hold_on(_metadata, self, i);
		}
	}
	for (i = 0; i < HOLDERS; i++)
		ASSERT_TRUE(hear(self->pair[0]));
	close(self->bg);
	EXPECT_EQ(-EWOULDBLOCK, unload_module("ctx"));
	ASSERT_TRUE(write_file(GROUP "/cgroup.kill", "1"));
	for (i = 0; i < HOLDERS; i++)
		EXPECT_EQ(KILLED, reap(pids[i]));
	/* What is in sockets is collected when one is closed; the rest is on its way. */
	while (read_number(REFCNT) > self->users - 1)
		close(socket(AF_UNIX, SOCK_STREAM, 0));
	EXPECT_EQ(0, unload_module("ctx"));
	EXPECT_EQ(0, load_module("ctx", ""));
	self->bg = ctx_open();
	EXPECT_TRUE(work_goes_on(self->bg));
	note("processes that held the module: %d; none is left, and it unloads", HOLDERS);
}

TEST_HARNESS_MAIN
