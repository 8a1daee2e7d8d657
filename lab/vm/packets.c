/*
 * Clients of the virtual machine, for a kernel that has no other program to make them. Reads lines:
 *
 *     connect SRC SPORT DST DPORT          opens a TCP connection and leaves it, answered or not
 *     segment FLAGS SRC SPORT DST DPORT    sends one IPv4 TCP segment with these flags (a number) that belongs to no
 *                                          connection; prints what came back within 600 ms: "heard FLAGS" or "silence"
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static socklen_t place(struct sockaddr_storage *out, const char *address, int port) {
  memset(out, 0, sizeof *out);
  struct sockaddr_in *v4 = (struct sockaddr_in *)out;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
  if (strchr(address, ':') == NULL) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    inet_pton(AF_INET, address, &v4->sin_addr);
    return sizeof *v4;
  }
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  inet_pton(AF_INET6, address, &v6->sin6_addr);
  return sizeof *v6;
}

static void open_connection(const char *src, int sport, const char *dst, int dport) {
  struct sockaddr_storage from, to;
  socklen_t from_size = place(&from, src, sport), to_size = place(&to, dst, dport);
  int socket_fd = socket(from.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (bind(socket_fd, (struct sockaddr *)&from, from_size) != 0) perror("bind");
  connect(socket_fd, (struct sockaddr *)&to, to_size);
}

/* RFC 1071 over the pseudo-header and the segment; the segment has an even number of octets */
static unsigned short checksum(const struct sockaddr_in *from, const struct sockaddr_in *to, const unsigned char *segment, int size) {
  unsigned sum = IPPROTO_TCP + size;
  const unsigned char *parts[] = {(const unsigned char *)&from->sin_addr, (const unsigned char *)&to->sin_addr, segment};
  const int sizes[] = {4, 4, size};
  for (int part = 0; part < 3; part++)
    for (int i = 0; i < sizes[part]; i += 2) sum += parts[part][i] << 8 | parts[part][i + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return htons(~sum & 0xffff);
}

static void send_segment(int flags, const char *src, int sport, const char *dst, int dport) {
  struct sockaddr_storage from, to;
  place(&from, src, 0);
  place(&to, dst, 0);
  int raw = socket(AF_INET, SOCK_RAW, IPPROTO_TCP);
  bind(raw, (struct sockaddr *)&from, sizeof(struct sockaddr_in));
  unsigned char segment[24] = {0};
  struct tcphdr *tcp = (struct tcphdr *)segment;
  tcp->source = htons(sport);
  tcp->dest = htons(dport);
  tcp->seq = htonl(1000);
  tcp->ack_seq = htonl(2000);
  tcp->doff = 5;
  tcp->window = htons(65535);
  segment[13] = flags;
  tcp->check = checksum((struct sockaddr_in *)&from, (struct sockaddr_in *)&to, segment, sizeof segment);
  sendto(raw, segment, sizeof segment, 0, (struct sockaddr *)&to, sizeof(struct sockaddr_in));
  struct pollfd ready = {raw, POLLIN, 0};
  while (poll(&ready, 1, 600) > 0) {
    unsigned char packet[256];
    int size = recv(raw, packet, sizeof packet, 0);
    int at = (packet[0] & 15) * 4;
    if (size < at + 20 || (packet[at + 2] << 8 | packet[at + 3]) != sport) continue;
    printf("heard %d\n", packet[at + 13]);
    close(raw);
    return;
  }
  printf("silence\n");
  close(raw);
}

int main(void) {
  char line[256], src[64], dst[64];
  int sport, dport, flags;
  setvbuf(stdout, NULL, _IONBF, 0);
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (sscanf(line, "connect %63s %d %63s %d", src, &sport, dst, &dport) == 4) open_connection(src, sport, dst, dport);
    else if (sscanf(line, "segment %d %63s %d %63s %d", &flags, src, &sport, dst, &dport) == 5)
      send_segment(flags, src, sport, dst, dport);
    else fprintf(stderr, "not understood: %s", line);
  }
  usleep(500000);
  return 0;
}
