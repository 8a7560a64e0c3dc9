"""The endpoint: answers over HTTP from local files alone, so it goes on when everything else is down.

- A worker obeys the traffic plan of each endpoint in the state folder, and only releases that are signed and whole. A
  plan that can't be obeyed leaves the old one in force; plan numbers never go back.
- What was not logged is not answered: predictions, outcomes and events reach the log before the reply.
- One bad row refuses the whole request, and everything wrong with it is listed.
- What can't be looked up is not made up: without the online store a request that needs it is refused.
- Processes: the supervisor (`supervisor`) holds the listening sockets and keeps ingest (`ingest`) and the workers
  (`main`) alive; whoever's supervisor is gone goes too. Ingest alone writes the online store; workers read it.

It writes nothing but the log and the online store, decides nothing about traffic, and imports nothing of the control
plane.
"""
