--TEST--
Objects in the details of an event are as json_encode writes them; none of them keeps it from being recorded
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$ground = new Playground();
$options = ['root' => $ground->root];
enum Suit: string
{
    case Hearts = 'H';
}
final class Said implements JsonSerializable
{
    public function __construct(private readonly mixed $what)
    {
    }

    public function jsonSerialize(): mixed
    {
        return $this->what instanceof Throwable ? throw $this->what : $this->what;
    }
}
final class Named implements Stringable
{
    public function __toString(): string
    {
        return "a name \xff";
    }
}
$ring = new stdClass();
$ring->self = $ring;
foreach ([
    'time' => new DateTimeImmutable('2025-07-14 09:31:02 UTC'),
    'enum' => Suit::Hearts,
    'said' => new Said(['password' => 'hunter2', 'list' => [1, 2]]),
    'throws' => new Said(new LogicException('no')),
    'named' => new Named(),
    'ring' => $ring,
    'resource' => STDERR,
    'nan' => NAN,
] as $name => $value) {
    $report = cr0_event('X', [$name => $value], options: $options);
    $event = cr0_event_query(['limit' => '1'], $options)['events'][0];
    echo $report['seq'], ' ', json_encode($event['details']), "\n";
}
// PHP leaves circles alone when it ends, which valgrind takes for a leak.
$ring->self = null;
?>
--EXPECT--
1 {"time":{"date":"2025-07-14 09:31:02.000000","timezone_type":3,"timezone":"UTC"}}
2 {"enum":"H"}
3 {"said":{"password":"(hidden)","list":[1,2]}}
4 {"throws":"(object of Said)"}
5 {"named":"a name \ufffd"}
6 {"ring":{"self":null}}
7 {"resource":"(resource)"}
8 {"nan":"NaN"}
