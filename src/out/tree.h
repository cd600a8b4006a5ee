/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which lines the tree of categories gets, when there is room for so many: the categories and the
 * parents that their names imply, what folds, which rows stand below. Pure; text_tree.c prints it.
 */
#ifndef RSSCOPE_OUT_TREE_H
#define RSSCOPE_OUT_TREE_H

#include "model/ledger/ledger.h"

enum { TREE_NODES = 2 * CAT_COUNT };

struct sums {
	uint64_t resident, virtual_, pss;
	bool has_pss, part_pss; /* of something; not of everything resident */
};

struct node {
	char path[48];
	const char *label; /* last part of path */
	unsigned int depth;
	int parent;	   /* index, or -1 */
	int cat;	   /* enum category, or -1: a parent only */
	struct sums sum;   /* with all that is below */
	unsigned int show; /* of the category's rows, the largest so many */
	bool folded;	   /* stands in its parent's line for the small ones, or in the parent */
};

struct tree {
	struct node node[TREE_NODES];
	unsigned int n;
	uint32_t *order;			   /* row indexes, by category and size */
	size_t first[CAT_COUNT], count[CAT_COUNT]; /* in order[]: the rows that hold anything */
};

/* What does not fit is taken away in the order that page_tree() tells. 0 or -ENOMEM. */
int tree_make(struct tree *t, const struct ledger *l, unsigned int lines);
void tree_free(struct tree *t);

/* With room for all categories and the largest rows; 0 when out of memory. */
unsigned int tree_lines_wanted(const struct ledger *l);

/* Whether the small ones below a node (-1: on top) need a line: not when all of them fold, then the
 * node's own line says it. */
bool tree_has_fold_line(const struct tree *t, int parent);

struct sums sums_of(uint64_t resident, uint64_t virtual_, bool has_pss, uint64_t pss);
void sums_add(struct sums *s, const struct sums *o);

#endif
