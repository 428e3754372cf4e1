/* SPDX-License-Identifier: MIT
 *
 * The cache of counted items, against a plain array of what should be in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ix/cache.h>

struct item {
	struct ix_cache_item in;
	int value;
	char name[16];
};

static struct item *put(struct ix_cache *c, int name, int value, size_t size)
{
	struct item *it = calloc(1, sizeof(*it));

	assert_non_null(it);
	it->value = value;
	it->in.key = it->name;
	it->in.klen = (uint32_t)snprintf(it->name, sizeof(it->name), "%d", name);
	it->in.size = size;
	ix_cache_insert(c, &it->in);
	return it;
}

static struct item *get(struct ix_cache *c, int name)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", name);

	return (struct item *)ix_cache_find(c, text, (size_t)n);
}

static void least_recently_used_goes(void **state)
{
	struct ix_cache c;

	(void)state;
	assert_int_equal(ix_cache_init(&c, 1, 3), 0);
	for (int i = 0; i < 3; i++)
		put(&c, i, i, 1);
	assert_non_null(get(&c, 0));
	put(&c, 3, 3, 1);
	assert_null(get(&c, 1));
	assert_int_equal(get(&c, 0)->value, 0);
	put(&c, 4, 4, 100); /* larger than the limit: alone */
	assert_null(get(&c, 0));
	assert_null(get(&c, 3));
	assert_int_equal(get(&c, 4)->value, 4);
	assert_int_equal(c.size, 100);
	ix_cache_fini(&c);
}

static void held_items_stay(void **state)
{
	struct ix_cache c;
	struct item *it;

	(void)state;
	assert_int_equal(ix_cache_init(&c, 16, 100), 0);
	it = put(&c, 1, 1, 10);
	ix_cache_hold(&it->in);
	put(&c, 1, 2, 20);
	assert_int_equal(it->value, 1); /* still ours */
	assert_int_equal(get(&c, 1)->value, 2);
	assert_int_equal(c.size, 20);
	ix_cache_drop(it);
	ix_cache_drop(NULL);
	ix_cache_remove(&c, &get(&c, 1)->in);
	assert_null(get(&c, 1));
	assert_int_equal(c.size, 0);
	ix_cache_fini(&c);
}

static void behaves_like_an_array(void **state)
{
	static int want[200]; /* 0: absent */
	struct ix_cache c;
	uint64_t x = 1;

	(void)state;
	assert_int_equal(ix_cache_init(&c, 60, 1000), 0);
	for (int i = 1; i < 100000; i++) {
		int name;

		x = x * 6364136223846793005ull + 1442695040888963407ull;
		name = (int)((x >> 33) % 200);
		if ((x >> 50) % 3 == 0 && want[name]) {
			ix_cache_remove(&c, &get(&c, name)->in);
			want[name] = 0;
		} else if ((x >> 50) % 3 == 1) {
			put(&c, name, i, 1);
			want[name] = i;
		}
		assert_int_equal(get(&c, name) ? get(&c, name)->value : 0, want[name]);
	}
	ix_cache_clear(&c);
	assert_int_equal(c.size, 0);
	assert_null(c.oldest);
	ix_cache_fini(&c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(least_recently_used_goes),
	    cmocka_unit_test(held_items_stay),
	    cmocka_unit_test(behaves_like_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
