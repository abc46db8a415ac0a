// SPDX-License-Identifier: GPL-2.0
/*
 * Contexts by number: who finds which, and what he may do with it. Tests run one
 * after the other, so nothing else makes contexts meanwhile.
 */
#include "bpf.h"

#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include <linux/capability.h>
#include <linux/perf_event.h>

#define RIGHTS_OPENED	(CTX_RIGHT_CANCEL | CTX_RIGHT_DERIVE | CTX_RIGHT_OBSERVE)
#define MANY		1000	/* blocks of numbers, and then some */

FIXTURE(number) {
	int bg;
	int ctx;
	__u64 id;
	int pair[2];
};

FIXTURE_SETUP(number)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->ctx = ctx_derive(self->bg, 0);
	ASSERT_LE(0, self->ctx);
	self->id = ctx_id(self->ctx);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->pair));
}

FIXTURE_TEARDOWN(number)
{
	close(self->pair[0]);
	close(self->pair[1]);
	close(self->ctx);
	close(self->bg);
}

static __u32 rights_of(int fd)
{
	struct ctx_ioc_info info;

	return ctx_info(fd, &info) ? ~0U : info.rights;
}

TEST_F(number, opens_the_same_context)
{
	int fd = ctx_open_id(self->bg, self->id, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(self->id, ctx_id(fd));
	EXPECT_EQ(RIGHTS_OPENED, rights_of(fd));
	EXPECT_EQ(0, ctx_cancel(fd, EIO));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, EIO));
	EXPECT_TRUE(same_end(self->ctx, fd));
	close(fd);
	/* One that is done is there as long as it is. */
	fd = ctx_open_id(self->ctx, self->id, CTX_RIGHT_OBSERVE);
	EXPECT_TRUE(is_done(fd, ECANCELED, EIO));
	close(fd);
}

TEST_F(number, only_the_rights_that_are_asked_for)
{
	__u32 rights;
	int fd;

	for (rights = 1; rights <= RIGHTS_ALL; rights++) {
		fd = ctx_open_id(self->bg, self->id, rights);
		if (rights & CTX_RIGHT_VALUE) {
			EXPECT_EQ(-EPERM, fd);
			continue;
		}
		ASSERT_LE(0, fd);
		if (rights & CTX_RIGHT_OBSERVE)
			EXPECT_EQ(rights, rights_of(fd));
		close(fd);
		/* What was opened with CANCEL is no longer the last one that holds it. */
		EXPECT_TRUE(is_live(self->ctx));
	}
}

/* Not even one's own: who signals a process does not read its memory by that. */
TEST_F(number, nobody_reads_values)
{
	int value = ctx_set(self->ctx, "k", "v"), fd, child;

	ASSERT_LE(0, value);
	EXPECT_EQ(-EPERM, ctx_open_id(self->bg, ctx_id(value), CTX_RIGHT_VALUE));
	/* Nor is there anything of its own to cancel. */
	EXPECT_EQ(-EPERM, ctx_open_id(self->bg, ctx_id(value), CTX_RIGHT_CANCEL));
	fd = ctx_open_id(self->bg, ctx_id(value), 0);
	EXPECT_EQ(CTX_RIGHT_DERIVE | CTX_RIGHT_OBSERVE, rights_of(fd));
	child = ctx_derive(fd, 0);
	EXPECT_EQ(RIGHTS_OPENED, rights_of(child));
	EXPECT_STREQ("(error)", ctx_get(child, "k"));
	close(child);
	close(fd);
	close(value);
}

TEST_F(number, an_opened_one_counts_if_it_can_cancel)
{
	int watch = ctx_open_id(self->bg, self->id, CTX_RIGHT_OBSERVE | CTX_RIGHT_DERIVE);
	int holder = ctx_open_id(self->bg, self->id, CTX_RIGHT_CANCEL);

	ASSERT_LE(0, holder);
	close(self->ctx);
	EXPECT_TRUE(is_live(watch));
	close(holder);
	EXPECT_TRUE(is_done(watch, ECANCELED, EOWNERDEAD));
	self->ctx = watch;
}

TEST_F(number, there_is_no_such)
{
	int child = ctx_derive(self->ctx, 0), next = next_fd();
	__u64 id = ctx_id(child);

	EXPECT_EQ(-ESRCH, ctx_open_id(self->bg, 0, 0));
	EXPECT_EQ(-ESRCH, ctx_open_id(self->bg, id + 1, 0));
	EXPECT_EQ(-ESRCH, ctx_open_id(self->bg, id + MANY, 0));
	EXPECT_EQ(-ESRCH, ctx_open_id(self->bg, ~0ULL, 0));
	EXPECT_EQ(next, next_fd());
	close(child);
	/* Gone, and its number is nobody else's. */
	EXPECT_EQ(-ESRCH, ctx_open_id(self->bg, id, 0));
	child = ctx_derive(self->ctx, 0);
	EXPECT_LT(id, ctx_id(child));
	EXPECT_EQ(-ESRCH, ctx_open_id(self->bg, id, 0));
	close(child);
}

TEST_F(number, all_in_order)
{
	__u64 ids[MANY], id = self->id;
	int fds[MANY], i;

	ASSERT_TRUE(allow_files(MANY + 100));
	for (i = 0; i < MANY; i++) {
		fds[i] = i % 3 ? ctx_derive(self->ctx, 0) :
			 i % 2 ? ctx_set(self->ctx, "k", "v") :
				 ctx_derive(self->ctx, CTX_DERIVE_WITHOUT_CANCEL);
		ASSERT_LE(0, fds[i]);
		ids[i] = ctx_id(fds[i]);
	}
	EXPECT_EQ(self->id, ctx_next(self->bg, self->id - 1));
	for (i = 0; i < MANY; i++) {
		id = ctx_next(self->bg, id);
		ASSERT_EQ(ids[i], id);
	}
	EXPECT_EQ(0, ctx_next(self->bg, id));
	EXPECT_EQ(0, ctx_next(self->bg, ~0ULL));
	EXPECT_EQ(0, ctx_next(self->bg, ~0ULL - 1));
	/* With most of them gone, whole blocks of numbers among them. */
	for (i = 0; i < MANY; i++) {
		if (i % 300 != 299)
			close(fds[i]);
	}
	for (id = self->id, i = 299; i < MANY; i += 300) {
		/* What values leave behind is there for a while, and never found. */
		id = ctx_next(self->bg, id);
		ASSERT_EQ(ids[i], id);
		close(fds[i]);
	}
	EXPECT_EQ(0, ctx_next(self->bg, self->id));
}

/* Who may send the owner a signal: the same user, and who has CAP_KILL over him. */
TEST_F(number, others_are_not_found)
{
	int fd;
	pid_t pid = spawn();

	if (!pid) {
		become(2001);
		EXPECT_EQ(0, ctx_next(self->bg, self->id - 1));
		EXPECT_EQ(-EPERM, ctx_open_id(self->bg, self->id, CTX_RIGHT_OBSERVE));
		fd = ctx_derive(self->bg, 0);
		EXPECT_EQ(ctx_id(fd), ctx_next(self->bg, 0));
		EXPECT_EQ(0, ctx_next(self->bg, ctx_id(fd)));
		EXPECT_TRUE(send_fd(self->pair[1], fd));
		close(fd);
		/* Its owner can open it even if somebody else holds it. */
		EXPECT_TRUE(hear(self->pair[1]));
		child_exit();
	}
	fd = recv_fd(self->pair[0]);
	ASSERT_LE(0, fd);
	EXPECT_EQ(ctx_id(fd), ctx_next(self->bg, self->id));
	close(ctx_open_id(self->bg, ctx_id(fd), 0));
	EXPECT_TRUE(is_live(fd));
	EXPECT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
	close(fd);
}

/* Of all that root may do, only this. */
static bool keep_only(__u32 capabilities)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = capabilities, .permitted = capabilities },
	};

	return !syscall(SYS_capset, &header, data);
}

/* Being root is not it, but CAP_KILL, whoever has that. */
TEST_F(number, takes_the_capability)
{
	pid_t pid = spawn();
	__u64 id;
	int fd;

	if (!pid) {
		become(2002);
		fd = ctx_derive(self->bg, 0);
		EXPECT_TRUE(send_fd(self->pair[1], fd));
		child_exit();
	}
	fd = recv_fd(self->pair[0]);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, reap(pid));
	id = ctx_id(fd);
	pid = spawn();
	if (!pid) {
		EXPECT_EQ(0, prctl(PR_SET_KEEPCAPS, 1));
		become(2001);
		EXPECT_TRUE(keep_only(1 << CAP_KILL));
		EXPECT_LE(0, ctx_open_id(self->bg, id, CTX_RIGHT_OBSERVE));
		EXPECT_EQ(id, ctx_next(self->bg, id - 1));
		EXPECT_TRUE(keep_only(0));
		EXPECT_EQ(-EPERM, ctx_open_id(self->bg, id, CTX_RIGHT_OBSERVE));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	pid = spawn();
	if (!pid) {
		EXPECT_TRUE(keep_only(~(1U << CAP_KILL)));
		EXPECT_EQ(-EPERM, ctx_open_id(self->bg, id, CTX_RIGHT_OBSERVE));
		EXPECT_NE(id, ctx_next(self->bg, id - 1));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	close(fd);
}

/* The real uid counts for who asks, and the effective one for who made it. */
TEST_F(number, as_kill_has_it)
{
	int fd;
	pid_t pid = spawn();

	if (!pid) {
		EXPECT_EQ(0, setresuid(2001, 2002, 2002));
		fd = ctx_derive(self->bg, 0);
		EXPECT_TRUE(send_fd(self->pair[1], fd));
		EXPECT_TRUE(hear(self->pair[1]));
		child_exit();
	}
	fd = recv_fd(self->pair[0]);
	ASSERT_LE(0, fd);
	pid_t other = spawn();

	if (!other) {
		EXPECT_EQ(0, setresuid(2002, 2003, 2003));
		EXPECT_LE(0, ctx_open_id(self->bg, ctx_id(fd), 0));
		child_exit();
	}
	EXPECT_EQ(0, reap(other));
	other = spawn();
	if (!other) {
		become(2001);
		EXPECT_EQ(-EPERM, ctx_open_id(self->bg, ctx_id(fd), 0));
		child_exit();
	}
	EXPECT_EQ(0, reap(other));
	EXPECT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
	close(fd);
}

/* Root of a user namespace has a say over those in it, and over nobody else. */
TEST_F(number, root_of_a_namespace)
{
	int made[2], looked[2];
	pid_t pid, inner;
	__u64 id;

	ASSERT_EQ(0, pipe2(made, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(looked, O_CLOEXEC));
	pid = spawn();
	if (!pid) {
		EXPECT_EQ(0, unshare(CLONE_NEWUSER));
		EXPECT_TRUE(tell(self->pair[1]));
		EXPECT_TRUE(hear(self->pair[1]));
		become(0);
		EXPECT_EQ(-EPERM, ctx_open_id(self->bg, self->id, 0));
		inner = spawn();
		if (!inner) {
			become(7);
			EXPECT_LE(0, ctx_derive(self->bg, 0));
			EXPECT_TRUE(tell(made[1]));
			EXPECT_TRUE(hear(looked[0]));
			child_exit();
		}
		EXPECT_TRUE(hear(made[0]));
		id = ctx_next(self->bg, self->id);
		EXPECT_NE(0, id);
		EXPECT_LE(0, ctx_open_id(self->bg, id, 0));
		EXPECT_EQ(0, ctx_next(self->bg, id));
		EXPECT_TRUE(tell(looked[1]));
		EXPECT_EQ(0, reap(inner));
		child_exit();
	}
	ASSERT_TRUE(hear(self->pair[0]));
	ASSERT_TRUE(map_ids(pid, "0 300000 10"));
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
	close(made[0]);
	close(made[1]);
	close(looked[0]);
	close(looked[1]);
}

/* What a container cannot name by a pid is not there for its root either. */
TEST_F(number, nor_across_pid_namespaces)
{
	__u64 id;
	int fd;
	pid_t pid = spawn(), inner;

	if (!pid) {
		EXPECT_EQ(0, unshare(CLONE_NEWPID));
		inner = spawn();
		if (!inner) {
			EXPECT_EQ(-ESRCH, ctx_open_id(self->bg, self->id, 0));
			EXPECT_EQ(0, ctx_next(self->bg, 0));
			fd = ctx_derive(self->bg, 0);
			id = ctx_id(fd);
			EXPECT_EQ(id, ctx_next(self->bg, 0));
			EXPECT_LE(0, ctx_open_id(self->bg, id, 0));
			/* From outside it can be seen. */
			EXPECT_TRUE(tell(self->pair[1]));
			EXPECT_TRUE(hear(self->pair[1]));
			child_exit();
		}
		_exit(reap(inner));
	}
	ASSERT_TRUE(hear(self->pair[0]));
	id = ctx_next(self->bg, self->id);
	EXPECT_NE(0, id);
	fd = ctx_open_id(self->bg, id, CTX_RIGHT_OBSERVE);
	EXPECT_LE(0, fd);
	close(fd);
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
}

/* Listing what two processes make and close all the while: no order is broken. */
TEST_F(number, s7_listing_while_they_come_and_go)
{
	bool more = true;
	__u64 id, next;
	int i, rounds;
	pid_t pids[2];

	for (i = 0; i < 2; i++) {
		pids[i] = spawn();
		if (!pids[i]) {
			for (rounds = 0; rounds < 2000; rounds++)
				close(ctx_derive(self->bg, 0));
			child_exit();
		}
	}
	for (i = 0; i < 2; i++) {
		while (more) {
			more = waitpid(pids[i], NULL, WNOHANG) == 0;
			for (id = 0; (next = ctx_next(self->bg, id)); id = next) {
				int fd = ctx_open_id(self->bg, next, CTX_RIGHT_OBSERVE);

				ASSERT_LT(id, next);
				EXPECT_TRUE(fd >= 0 || fd == -ESRCH);
				if (fd >= 0) {
					EXPECT_EQ(next, ctx_id(fd));
					close(fd);
				}
			}
		}
		more = true;
	}
	EXPECT_EQ(0, ctx_next(self->bg, self->id));
}

/* Where what a system call returned is. */
#ifdef __x86_64__
#define RESULT	rax
#elif defined(__i386__)
#define RESULT	eax
#endif

#ifdef RESULT
/* From here on @pid is killed when its request for the next has begun. */
static int kill_who_looks(pid_t pid)
{
	const struct bpf_insn insns[] = {
		{ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_current_pid_tgid },
		{ BPF_ALU64 | BPF_RSH | BPF_K, 0, 0, 0, 32 },
		{ BPF_JMP | BPF_JNE | BPF_K, 0, 0, 2, pid },
		{ BPF_ALU64 | BPF_MOV | BPF_K, 1, 0, 0, SIGKILL },
		{ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_send_signal },
		{ BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = read_number("/sys/bus/event_source/devices/kprobe/type"),
		.kprobe_func = to_u64("ctx_ioc_next"),
	};
	int prog = bpf_load(BPF_PROG_TYPE_KPROBE, insns, ARRAY_SIZE(insns));
	int event = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);

	if (prog >= 0 && event >= 0 && !ioctl(event, PERF_EVENT_IOC_SET_BPF, prog)) {
		close(prog);
		return event;
	}
	close(prog);
	close(event);
	return -1;
}

/* What the system call returned by which a killed process ends, which it never sees. */
static long last_result(pid_t pid)
{
	struct user_regs_struct regs;
	int status;

	if (!must(waitpid(pid, &status, 0) == pid) ||
	    !must(status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) ||
	    !must(!ptrace(PTRACE_GETREGS, pid, NULL, &regs)) ||
	    !must(!ptrace(PTRACE_CONT, pid, NULL, NULL)))
		return 0;
	return regs.RESULT;
}

/* However many there are to be passed by. */
TEST_F(number, a_killed_one_looks_no_further)
{
	pid_t pid = spawn();
	int event;

	if (!pid) {
		become(2001);
		tell(self->pair[1]);
		hear(self->pair[1]);
		ctx_next(self->bg, 0);
		_exit(0);
	}
	ASSERT_TRUE(hear(self->pair[0]));
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEEXIT));
	event = kill_who_looks(pid);
	if (event < 0)
		SKIP(return, "no BPF for kprobes");
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(-EINTR, last_result(pid));
	EXPECT_EQ(KILLED, reap(pid));
	close(event);
}

#endif

/* Whoever may not open them has no part in them for a moment, which a link would notice. */
TEST_F(number, looking_for_others_does_not_stand_in_their_way)
{
	int other = ctx_derive(self->bg, 0), ctx, i;
	pid_t pid;

	pid = spawn();
	if (!pid) {
		become(2001);
		tell(self->pair[1]);
		for (;;)
			ctx_next(self->bg, 0);
	}
	ASSERT_TRUE(hear(self->pair[0]));
	for (i = 0; i < 2000; i++) {
		ctx = ctx_derive(self->bg, 0);
		/* From here on it can be linked by who has all of it. */
		close(ctx_derive(ctx, 0));
		EXPECT_EQ(0, ctx_link(ctx, other));
		close(ctx);
	}
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(KILLED, reap(pid));
	close(other);
}

TEST_F(number, bad_arguments)
{
	struct ctx_ioc_open open = { .size = sizeof(open), .id = self->id };
	struct ctx_ioc_next next = { .size = sizeof(next) };
	int fd = next_fd();

	EXPECT_EQ(-EINVAL, ctx_open_id(self->bg, self->id, RIGHTS_ALL + 1));
	EXPECT_EQ(-EINVAL, ctx_open_id(self->bg, self->id, ~0U));
	open.flags = 0x80000000;
	EXPECT_EQ(-EINVAL, ctx_request(self->bg, CTX_IOC_OPEN, &open));
	open.flags = 0;
	open.reserved = 1;
	EXPECT_EQ(-EINVAL, ctx_request(self->bg, CTX_IOC_OPEN, &open));
	next.flags = 1;
	EXPECT_EQ(-EINVAL, ctx_request(self->bg, CTX_IOC_NEXT, &next));
	EXPECT_EQ(fd, next_fd());
}

TEST_HARNESS_MAIN
