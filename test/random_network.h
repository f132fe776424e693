/* random_network.h - float networks as the importer writes them: values in N x C x H x W, spatial operators in brackets of
 * transposes. */
#ifndef TEST_RANDOM_NETWORK_H
#define TEST_RANDOM_NETWORK_H

#include "graph.h"

/* About `blocks` random pieces of network on one or two inputs; every value that nobody reads is an output. From test_random;
 * the caller frees it. Numbers stay of the order of 1. */
oct_graph *random_network(int blocks);

#endif
