// SPDX-License-Identifier: GPL-2.0
/*
 * An HTTP server whose requests carry deadlines, in one epoll loop:
 *
 *	server [PORT]
 *	curl -H 'Timeout: 200' http://localhost:8080/50      200: it takes 50 ms
 *	curl -H 'Timeout: 200' http://localhost:8080/5000    504 after 200 ms
 *
 * Each request has a context below the server's. Its work, which here is a timer of
 * as many milliseconds as the path says, is dropped as soon as that is done: because
 * the client's time is up, because the client has hung up, or because the server's
 * own context is, say by "ctx run -t 1h -- server". Nothing has to look at a clock:
 * a context that is done is a descriptor that is readable.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <libctx.h>

#define DEFAULT_MS	1000

struct request;

/* What may happen, each a descriptor in the set. */
struct source {
	int fd;
	void (*ready)(struct source *source, unsigned int events);
	struct request *request;
};

struct request {
	struct source client;
	struct source ctx;
	struct source work;
	char text[4096];
	size_t len;
	bool over;
	struct request *next;	/* of those that are over */
};

static int epoll, server_ctx;
static struct request *finished;

static void watch(struct source *source, unsigned int events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (source->fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, source->fd, &event))
		err(1, "epoll");
}

/* Other events of it may be in hand yet, so that its memory stays until they are. */
static void finish(struct request *request, const char *status, const char *text)
{
	if (status)
		dprintf(request->client.fd,
			"HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
			"Connection: close\r\n\r\n%s", status, strlen(text), text);
	/* The last one closed: whatever was derived from this context is done, too. */
	close(request->client.fd);
	if (request->ctx.fd >= 0)
		close(request->ctx.fd);
	if (request->work.fd >= 0)
		close(request->work.fd);
	request->over = true;
	request->next = finished;
	finished = request;
}

static void on_worked(struct source *source, unsigned int events __attribute__((unused)))
{
	finish(source->request, "200 OK", "done\n");
}

static void on_done(struct source *source, unsigned int events __attribute__((unused)))
{
	struct request *request = source->request;
	char text[128];

	if (ctx_err(source->fd) == ETIMEDOUT) {
		finish(request, "504 Gateway Timeout", "out of time\n");
	} else {
		snprintf(text, sizeof(text), "cancelled: %s\n", strerror(ctx_cause(source->fd)));
		finish(request, "503 Service Unavailable", text);
	}
}

/* The number after @name in the request's head, or @otherwise. */
static long long number_after(const struct request *request, const char *name,
			      long long otherwise)
{
	const char *found = strcasestr(request->text, name);

	return found ? atoll(found + strlen(name)) : otherwise;
}

static void begin(struct request *request)
{
	long long ms = number_after(request, "GET /", 0);
	long long limit = number_after(request, "\r\nTimeout:", DEFAULT_MS);
	struct itimerspec time = {
		.it_value = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * CTX_MSEC + 1 },
	};

	request->ctx.fd = ctx_with_timeout(server_ctx, limit * CTX_MSEC);
	request->work.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (request->ctx.fd < 0 || timerfd_settime(request->work.fd, 0, &time, NULL)) {
		finish(request, "500 Internal Server Error", "too many requests\n");
		return;
	}
	watch(&request->ctx, EPOLLIN);
	watch(&request->work, EPOLLIN);
}

static void on_client(struct source *source, unsigned int events __attribute__((unused)))
{
	struct request *request = source->request;
	ssize_t len = recv(source->fd, request->text + request->len,
			   sizeof(request->text) - 1 - request->len, MSG_DONTWAIT);

	if (len < 0 && errno == EAGAIN)
		return;
	/* Whoever hangs up wants no answer. What comes after the head is of no interest. */
	if (len <= 0) {
		if (request->ctx.fd >= 0)
			ctx_cancel(request->ctx.fd, EPIPE);
		finish(request, NULL, NULL);
		return;
	}
	if (request->ctx.fd >= 0)
		return;
	request->len += len;
	if (strstr(request->text, "\r\n\r\n"))
		begin(request);
}

static void on_connection(struct source *source, unsigned int events __attribute__((unused)))
{
	int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);
	struct request *request = fd < 0 ? NULL : calloc(1, sizeof(*request));

	if (!request) {
		close(fd);
		return;
	}
	request->client = (struct source){ fd, on_client, request };
	request->ctx = (struct source){ -1, on_done, request };
	request->work = (struct source){ -1, on_worked, request };
	watch(&request->client, EPOLLIN);
}

static void on_server_done(struct source *source, unsigned int events __attribute__((unused)))
{
	fprintf(stderr, "server: %s\n", strerror(ctx_cause(source->fd)));
	exit(0);
}

static int listen_on(int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, SOMAXCONN))
		err(1, "cannot listen on port %d", port);
	return fd;
}

static void handle(const struct epoll_event *event)
{
	struct source *source = event->data.ptr;

	if (!source->request || !source->request->over)
		source->ready(source, event->events);
}

static void free_finished(void)
{
	struct request *request;

	while ((request = finished)) {
		finished = request->next;
		free(request);
	}
}

int main(int argc, char **argv)
{
	int port = argc > 1 ? atoi(argv[1]) : 8080;
	struct source listener = { listen_on(port), on_connection, NULL };
	struct source server = { ctx_from_env(), on_server_done, NULL };
	struct epoll_event events[64];
	int count;

	if (server.fd < 0)
		err(1, "/dev/ctx");
	server_ctx = server.fd;
	epoll = epoll_create1(EPOLL_CLOEXEC);
	watch(&listener, EPOLLIN);
	watch(&server, EPOLLIN);
	printf("listening\n");
	fflush(stdout);
	for (;;) {
		count = epoll_wait(epoll, events, 64, -1);
		for (int i = 0; i < count; i++)
			handle(&events[i]);
		free_finished();
	}
}
