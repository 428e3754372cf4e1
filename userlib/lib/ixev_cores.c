/* SPDX-License-Identifier: MIT
 *
 * A server on all cores.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <ix/ixev.h>

/* Shared by the threads. Nobody serves before all are ready, so that an error can still stop all. */
struct team {
	const struct ixev_config *conf;
	int (*start)(struct ixev *base, void *arg);
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t change;
	uint32_t ready, wanted; /* threads; `wanted` is 0 until it is known */
	long err;               /* the first */
};

static void failed(struct team *t, long err)
{
	pthread_mutex_lock(&t->lock);
	if (!t->err)
		t->err = err;
	pthread_mutex_unlock(&t->lock);
}

/* Waits until all threads of the team, known to be `wanted` by the caller if not 0, are ready. */
static bool all_ready(struct team *t, uint32_t wanted)
{
	bool ok;

	pthread_mutex_lock(&t->lock);
	t->ready++;
	if (wanted)
		t->wanted = wanted;
	pthread_cond_broadcast(&t->change);
	while (t->ready != t->wanted)
		pthread_cond_wait(&t->change, &t->lock);
	ok = !t->err;
	pthread_mutex_unlock(&t->lock);
	return ok;
}

static void serve(struct team *t, struct ixev *base, uint32_t wanted)
{
	long err = base ? t->start(base, t->arg) : 0;

	if (err < 0)
		failed(t, err);
	if (all_ready(t, wanted)) {
		err = ixev_loop(base);
		if (err < 0)
			failed(t, err);
	}
	if (base)
		ixev_shut(base);
}

static void *thread(void *arg)
{
	struct team *t = arg;
	struct ixev *base;
	int err = ixev_open(&base, t->conf);

	if (err < 0)
		failed(t, err);
	serve(t, base, 0);
	return NULL;
}

long ixev_run_cores(const struct ixev_config *conf, int (*start)(struct ixev *base, void *arg),
		    void *arg)
{
	struct team t = {.conf = conf, .start = start, .arg = arg};
	uint32_t ncores, n = 1;
	pthread_t *threads;
	struct ixev *base;
	int err = ixev_open(&base, conf);

	if (err < 0)
		return err;
	ncores = ixev_info(base)->ncores;
	threads = calloc(ncores, sizeof(*threads));
	if (!threads) {
		ixev_shut(base);
		return -ENOMEM;
	}
	pthread_mutex_init(&t.lock, NULL);
	pthread_cond_init(&t.change, NULL);
	for (; n < ncores; n++) {
		err = pthread_create(&threads[n], NULL, thread, &t);
		if (err) {
			failed(&t, -err);
			break;
		}
	}
	serve(&t, base, n);
	while (--n)
		pthread_join(threads[n], NULL);
	pthread_cond_destroy(&t.change);
	pthread_mutex_destroy(&t.lock);
	free(threads);
	return t.err;
}
