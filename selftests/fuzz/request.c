// SPDX-License-Identifier: GPL-2.0
/*
 * The requests of /dev/ctx. Each number of a program chooses among values that are
 * right or wrong in some way. What comes back is held against the ABI: the errors that
 * it documents, and what it says is written.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <linux/ctx.h>

#include "fuzz.h"

/* Longer than any size that is accepted. */
#define ROOM	4200
#define FILL	0xa5
static const int common[] = { EPERM, EFAULT, EINVAL, E2BIG, 0 };
static const int installs[] = { ENOMEM, EMFILE, ENFILE, 0 };
static const int derives[] = { ELOOP, EDQUOT, ENOMEM, EMFILE, ENFILE, 0 };
static const int finds[] = { ENOENT, ENOSPC, 0 };
static const int opens[] = { ESRCH, ENOMEM, EMFILE, ENFILE, 0 };
static const int lists[] = { ENOENT, EINTR, 0 };
static const int attaches[] = { EBADF, ELOOP, EBUSY, EDQUOT, EOPNOTSUPP, ENOMEM, 0 };
static const int writes[] = { EBADF, EDQUOT, EOPNOTSUPP, ENXIO, ENOMEM, ENFILE, 0 };
static const int binds[] = { EBADF, ENODEV, EDQUOT, EOPNOTSUPP, ENOMEM, 0 };
static const int none[] = { 0 };

static const struct request {
	const char *name;
	const int *errors;
	size_t size;
	bool answers;
} requests[] = {
	[_IOC_NR(CTX_IOC_DERIVE)] = { "DERIVE", derives, sizeof(struct ctx_ioc_derive) },
	[_IOC_NR(CTX_IOC_WITH_VALUE)] = { "WITH_VALUE", derives, sizeof(struct ctx_ioc_value) },
	[_IOC_NR(CTX_IOC_VALUE)] = { "VALUE", finds, sizeof(struct ctx_ioc_value), true },
	[_IOC_NR(CTX_IOC_CANCEL)] = { "CANCEL", none, sizeof(struct ctx_ioc_cancel) },
	[_IOC_NR(CTX_IOC_INFO)] = { "INFO", none, sizeof(struct ctx_ioc_info), true },
	[_IOC_NR(CTX_IOC_RESTRICT)] = { "RESTRICT", installs, sizeof(struct ctx_ioc_restrict) },
	[_IOC_NR(CTX_IOC_OPEN)] = { "OPEN", opens, sizeof(struct ctx_ioc_open) },
	[_IOC_NR(CTX_IOC_NEXT)] = { "NEXT", lists, sizeof(struct ctx_ioc_next), true },
	[_IOC_NR(CTX_IOC_LINK)] = { "LINK", attaches, sizeof(struct ctx_ioc_link) },
	[_IOC_NR(CTX_IOC_WATCH)] = { "WATCH", attaches, sizeof(struct ctx_ioc_watch) },
	[_IOC_NR(CTX_IOC_ON_DONE)] = { "ON_DONE", writes, sizeof(struct ctx_ioc_on_done) },
	[_IOC_NR(CTX_IOC_BIND)] = { "BIND", binds, sizeof(struct ctx_ioc_bind) },
};

static bool is_one_of(int err, const int *errors)
{
	for (; *errors; errors++)
		if (*errors == err)
			return true;
	return false;
}

static void check_error(const struct request *request, int fd, int err)
{
	if (err == ENOTTY && !request)
		return;
	if (request && (is_one_of(err, common) || is_one_of(err, request->errors)))
		return;
	if (err == EBADF || err == ENOTTY)	/* of what is not ours */
		return;
	fuzz_violation("%s on %d gives %s", request ? request->name : "unknown", fd,
		       strerrorname_np(err));
}

/* What was not to be written is as it was. */
static void check_memory(const struct request *request, const uint8_t *sent, const uint8_t *at,
			 int ret, int err)
{
	size_t size = *(const uint32_t *)sent, from = 0;

	if (request && request->answers && (!ret || err == ENOSPC))
		from = size < request->size ? size : request->size;
	if (memcmp(sent + from, at + from, ROOM - from))
		fuzz_violation("%s writes beyond %zu", request ? request->name : "unknown", from);
}

/* Makes a request of the ROOM bytes at @sent, and has the answer there if there is one. */
static int request(int fd, unsigned int cmd, uint8_t *sent, size_t len, uint8_t where)
{
	const struct request *known = _IOC_NR(cmd) < FUZZ_NR(requests) &&
		cmd == _IO(CTX_IOC_MAGIC, _IOC_NR(cmd)) ? &requests[_IOC_NR(cmd)] : NULL;
	const bool plain = fuzz_is_plain(where);
	uint8_t *at = fuzz_put(FUZZ_PLACE_ARG, sent, plain ? ROOM : len, where);
	const int ret = ioctl(fd, cmd, at);
	const int err = ret < 0 ? errno : 0;

	fuzz_count(&fuzz_shared->ioctls, 1);
	if (ret < 0)
		check_error(known, fd, err);
	else
		fuzz_count(&fuzz_shared->done, 1);
	/* On what is no context it may mean anything. */
	if (plain && !fuzz_had_helpers() && err != ENOTTY && err != EBADF)
		check_memory(known, sent, at, ret, err);
	if (plain)
		memcpy(sent, at, len);
	return ret;
}

/* What @n makes of the size that is right. */
static uint32_t odd_size(uint32_t right, uint8_t n)
{
	switch (n) {
	case 1:
		return 0;
	case 2:
		return 4;
	case 3:
		return right - 1;
	case 4:
	case 5:
		return right + 8;
	case 6:
	case 10:
		return 4096;
	case 7:
		return 4097;
	case 8:
		return UINT_MAX;
	case 9:
		return right - 8;
	default:
		return right;
	}
}

/*
 * @arg: of @len bytes, of which the first four are its size. @size: which one is said,
 * and whether what is beyond is zero. @where: see fuzz_put().
 */
static int ask(int fd, unsigned int cmd, void *arg, size_t len, uint8_t size, uint8_t where)
{
	static uint8_t room[ROOM];
	const uint32_t said = odd_size(len, size);
	int ret;

	memset(room, 0, sizeof(room));
	memcpy(room, arg, len);
	memcpy(room, &said, sizeof(said));
	if (size == 5)
		room[len + 3] = 1;
	if (size == 10)
		room[4095] = 1;
	if (said >= len && said <= 4096)
		memset(room + said, FILL, ROOM - said);
	ret = request(fd, cmd, room, said > len && said <= 4096 ? said : len, where);
	memcpy(arg, room, len);
	return ret;
}

static uint32_t cause_of(uint8_t n)
{
	static const uint32_t causes[] = {
		0, EPERM, EIO, ECANCELED, ETIMEDOUT, EOWNERDEAD, 4095, 4096, INT_MAX, UINT_MAX,
	};

	return causes[n % FUZZ_NR(causes)];
}

/* Of flags and reserved members, which are 0. */
static uint32_t odd_of(uint8_t n)
{
	static const uint32_t odd[] = { 0, 0, 0, 0, 1, 2, 0x10, 0x80000000, UINT_MAX };

	return odd[n % FUZZ_NR(odd)];
}

static uint64_t nsec_of(clockid_t clock)
{
	struct timespec ts = {};

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static uint64_t time_of(uint8_t n, clockid_t clock)
{
	static const uint64_t times[] = {
		0, 1, 1000, 100000, 1000000, 3000000, 10000000, 1000000000, 3600000000000,
		INT64_MAX, INT64_MAX - 1, (uint64_t)INT64_MAX + 1, UINT64_MAX,
	};

	if (n < FUZZ_NR(times))
		return times[n];
	/* Soon, and just now, on that clock. */
	if (n < 128)
		return nsec_of(clock) + (n - 64) * 100000;
	return (n & 127) * 20000;
}

static void derive(const uint8_t *arg)
{
	static const uint32_t clocks[] = {
		CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME, CLOCK_TAI,
		CLOCK_PROCESS_CPUTIME_ID, UINT_MAX,
	};
	const uint32_t clock = clocks[arg[3] % FUZZ_NR(clocks)];
	const bool timed = arg[1] & (CTX_DERIVE_DEADLINE | CTX_DERIVE_TIMEOUT);
	struct ctx_ioc_derive derive = {
		.flags = arg[1] < 0xf0 ? arg[1] & 15 : 1 << (arg[1] & 15),
		.time = timed || arg[2] >= 0xf0 ? time_of(arg[2], clock) : 0,
		.clock = timed || arg[3] >= 0xf0 ? clock : 0,
		.cause = timed || arg[4] >= 0xf0 ? cause_of(arg[4]) : 0,
	};

	fuzz_add(FUZZ_CTX, ask(fuzz_fd(FUZZ_CTX, arg[0]), CTX_IOC_DERIVE, &derive, sizeof(derive),
			       arg[5], arg[6]));
}

/* As many as @arg[1] says, each below the one before or, if @arg[2] is odd, next to it. */
static void chain(const uint8_t *arg)
{
	int fd = fuzz_fd(FUZZ_CTX, arg[0]), nr = arg[1] % 64, child;

	while (nr--) {
		struct ctx_ioc_derive derive = { .flags = arg[3] & 12 };

		child = ask(fd, CTX_IOC_DERIVE, &derive, sizeof(derive), 0, 0);
		if (fuzz_add(FUZZ_CTX, child) < 0)
			break;
		if (!(arg[2] & 1))
			fd = child;
	}
}

static const char key_text[CTX_KEY_MAX + 1] = "key\0\xff second\nthird";
static const uint32_t key_lens[] = { 1, 2, 3, 8, 256, 0, 257, UINT_MAX };
static const uint32_t value_lens[] = { 0, 1, 7, 64, 4000, 4096, 4097, UINT_MAX };

/* @arg: which key, how long, how long the value is, size, and where all are */
static void fill_value(struct ctx_ioc_value *value, const uint8_t *arg)
{
	static uint8_t bytes[4096];

	value->flags = odd_of(arg[3] & 0xf0 ? arg[3] : 0);
	value->key_len = key_lens[arg[1] % FUZZ_NR(key_lens)];
	value->value_len = value_lens[arg[2] % FUZZ_NR(value_lens)];
	value->key = (uintptr_t)fuzz_put(FUZZ_PLACE_KEY, key_text + arg[0] % 4,
					 value->key_len <= 256 ? value->key_len : 250, arg[5]);
	value->value = (uintptr_t)fuzz_put(FUZZ_PLACE_VALUE, bytes,
					   value->value_len <= 4096 ? value->value_len : 4096,
					   arg[6]);
}

static void with_value(const uint8_t *arg)
{
	const int fd = fuzz_fd(FUZZ_CTX, arg[0]);
	struct ctx_ioc_value value = {};

	fill_value(&value, arg + 1);
	fuzz_add(FUZZ_CTX, ask(fd, CTX_IOC_WITH_VALUE, &value, sizeof(value), arg[4] & 15,
			       arg[5]));
}

static void value(const uint8_t *arg)
{
	const int fd = fuzz_fd(FUZZ_CTX, arg[0]);
	struct ctx_ioc_value value = {};
	int ret;

	fill_value(&value, arg + 1);
	ret = ask(fd, CTX_IOC_VALUE, &value, sizeof(value), arg[4] & 15, arg[5]);
	if (!ret && fuzz_is_plain(arg[5]) && !fuzz_had_helpers() && value.value_len > 4096)
		fuzz_violation("VALUE gives a length of %u", value.value_len);
}

static void cancel(const uint8_t *arg)
{
	struct ctx_ioc_cancel cancel = {
		.flags = odd_of(arg[2]),
		.cause = cause_of(arg[1]),
		.reserved = odd_of(arg[3]),
	};

	ask(fuzz_fd(FUZZ_CTX, arg[0]), CTX_IOC_CANCEL, &cancel, sizeof(cancel), arg[4], arg[5]);
}

static void check_info(const struct ctx_ioc_info *info)
{
	if (!(info->info_flags & CTX_INFO_DONE))
		return;
	if ((info->err != ECANCELED && info->err != ETIMEDOUT) || !info->cause ||
	    info->cause > CTX_CAUSE_MAX || strnlen(info->origin_comm, CTX_COMM_LEN) == CTX_COMM_LEN)
		fuzz_violation("INFO: err %u, cause %u", info->err, info->cause);
}

static void info(const uint8_t *arg)
{
	struct ctx_ioc_info info = { .flags = odd_of(arg[1]) };

	if (ask(fuzz_fd(FUZZ_CTX, arg[0]), CTX_IOC_INFO, &info, sizeof(info), arg[2], arg[3]))
		return;
	if (!fuzz_is_plain(arg[3]) || fuzz_had_helpers())
		return;
	check_info(&info);
	fuzz_now->last_id = info.id;
}

static void restrict_to(const uint8_t *arg)
{
	struct ctx_ioc_restrict restrict_to = {
		.flags = odd_of(arg[2]),
		.rights = arg[1] < 0xe0 ? arg[1] & 15 : 1 << (arg[1] & 31),
		.reserved = odd_of(arg[3]),
	};

	fuzz_add(FUZZ_CTX, ask(fuzz_fd(FUZZ_CTX, arg[0]), CTX_IOC_RESTRICT, &restrict_to,
			       sizeof(restrict_to), arg[4], arg[5]));
}

static uint64_t id_of(uint8_t n)
{
	static const uint64_t ids[] = {
		0, 1, 2, INT64_MAX, UINT64_MAX, UINT64_MAX - 1, 1ULL << 32,
	};

	if (n >= 0xf0)
		return ids[n % FUZZ_NR(ids)];
	return n < 128 ? fuzz_now->last_id + n : fuzz_now->last_id - (n & 127);
}

static void open_id(const uint8_t *arg)
{
	struct ctx_ioc_open open = {
		.flags = arg[1] < 0xf0 ? arg[1] & CTX_OPEN_AMBIENT : arg[1] & 15,
		.rights = arg[3] < 0xe0 ? arg[3] & 15 : 1 << (arg[3] & 31),
		.reserved = odd_of(arg[4]),
	};

	open.id = open.flags && arg[2] < 0xf0 ? 0 : id_of(arg[2]);
	fuzz_add(FUZZ_CTX, ask(fuzz_fd(FUZZ_CTX, arg[0]), CTX_IOC_OPEN, &open, sizeof(open),
			       arg[5], arg[6]));
}

static void next(const uint8_t *arg)
{
	struct ctx_ioc_next next = { .flags = odd_of(arg[2]), .id = id_of(arg[1]) };
	const uint64_t from = next.id;
	int ret = ask(fuzz_fd(FUZZ_CTX, arg[0]), CTX_IOC_NEXT, &next, sizeof(next), arg[3],
		      arg[4]);

	if (ret || !fuzz_is_plain(arg[4]) || fuzz_had_helpers())
		return;
	if (next.id <= from)
		fuzz_violation("NEXT of %llu gives %llu", (unsigned long long)from,
			       (unsigned long long)next.id);
	fuzz_now->last_id = next.id;
}

static void link_to(const uint8_t *arg)
{
	struct ctx_ioc_link link = {
		.flags = odd_of(arg[2]),
		.fd = fuzz_fd(FUZZ_CTX, arg[1]),
		.reserved = odd_of(arg[3]),
	};

	ask(fuzz_fd(FUZZ_CTX, arg[0]), CTX_IOC_LINK, &link, sizeof(link), arg[4], arg[5]);
}

static int fd_of(uint8_t kind, uint8_t which)
{
	return fuzz_fd(kind % FUZZ_KINDS, which);
}

static void watch(const uint8_t *arg)
{
	static const uint32_t events[] = {
		0, POLLIN, POLLOUT, POLLIN | POLLOUT, POLLPRI, POLLHUP | POLLERR, POLLRDNORM,
		POLLRDHUP, 0x7fff, 0x8000, UINT_MAX, POLLNVAL,
	};
	struct ctx_ioc_watch watch = {
		.flags = odd_of(arg[5]),
		.fd = fd_of(arg[1], arg[2]),
		.events = events[arg[3] % FUZZ_NR(events)],
		.cause = cause_of(arg[4]),
		.reserved = odd_of(arg[5] >> 4),
	};

	ask(fuzz_fd(FUZZ_CTX, arg[0]), CTX_IOC_WATCH, &watch, sizeof(watch), arg[6], arg[7]);
}

static bool takes_data(uint8_t kind)
{
	kind %= FUZZ_KINDS;
	return kind == FUZZ_PIPE_READ || kind == FUZZ_PIPE_WRITE || kind == FUZZ_SOCKET;
}

static void on_done(const uint8_t *arg)
{
	static const uint32_t lens[] = { 1, 8, 64, 4000, 4096, 4097, 0, UINT_MAX };
	static uint8_t data[4096];
	struct ctx_ioc_on_done on_done = {
		.flags = odd_of(arg[5]),
		.fd = fd_of(arg[1], arg[2]),
		.len = takes_data(arg[1]) || arg[3] >= 0x80 ? lens[arg[3] % FUZZ_NR(lens)] : 0,
	};
	uint32_t len = on_done.len <= 4096 ? on_done.len : 4096;

	on_done.data = (uintptr_t)fuzz_put(FUZZ_PLACE_VALUE, data, len, arg[4]);
	ask(fuzz_fd(FUZZ_CTX, arg[0]), CTX_IOC_ON_DONE, &on_done, sizeof(on_done), arg[6], arg[7]);
}

static void bind_to(const uint8_t *arg)
{
	struct ctx_ioc_bind bind = {
		.flags = odd_of(arg[2]),
		.fd = fuzz_fd(FUZZ_PROCS, arg[1]),
		.reserved = odd_of(arg[3]),
	};

	fuzz_now->bound = true;
	ask(fuzz_fd(FUZZ_CTX, arg[0]), CTX_IOC_BIND, &bind, sizeof(bind), arg[4], arg[5]);
}

/* Whatever number, and a structure of the bytes that follow. */
static void raw(const uint8_t *arg)
{
	static const uint8_t sizes[] = { 12, 16, 24, 32, 136, 40 };
	uint8_t room[ROOM] = {};
	unsigned int cmd = arg[1] < 0xf0 ? _IO(CTX_IOC_MAGIC, arg[1] & 15) :
		_IOWR(CTX_IOC_MAGIC, arg[1] & 15, uint32_t);
	const uint32_t size = sizes[arg[2] % FUZZ_NR(sizes)];

	memcpy(room, &size, sizeof(size));
	memcpy(room + 4, arg + 3, FUZZ_ARGS_MAX - 3);
	if (cmd == CTX_IOC_BIND)
		fuzz_now->bound = true;
	fuzz_add(FUZZ_CTX, request(fuzz_fd(FUZZ_CTX, arg[0]), cmd, room, size, 0));
}

const struct fuzz_op fuzz_requests[] = {
	{ "derive", 7, derive },
	{ "with_value", 8, with_value },
	{ "value", 8, value },
	{ "cancel", 6, cancel },
	{ "info", 4, info },
	{ "restrict", 6, restrict_to },
	{ "open_id", 7, open_id },
	{ "next", 5, next },
	{ "link", 6, link_to },
	{ "watch", 8, watch },
	{ "on_done", 8, on_done },
	{ "bind", 6, bind_to },
	{ "chain", 4, chain },
	{ "raw", FUZZ_ARGS_MAX, raw },
};

const int fuzz_nr_requests = FUZZ_NR(fuzz_requests);
