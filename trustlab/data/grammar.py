"""Grammar of the synthetic assistant corpus: what people ask for, and in which words.

An :class:`Intent` is a weight in the global distribution of intents and a handful of templates; ``{slot}`` is filled
from the vocabulary that :data:`SLOTS` names. Two things make the task harder than its vocabulary. Slots share
vocabularies ("play winter rain" may be a song, a podcast or a book), and many intents have a *mirror* template that
holds the same words in another order ("turn off the lights but leave the heater on" against "turn off the heater but
leave the lights on"), which a bag of words cannot tell apart.
"""

from __future__ import annotations

from typing import NamedTuple


class Intent(NamedTuple):
    """One request: its domain, its weight in the global distribution, and the templates that express it."""

    domain: str
    weight: float
    templates: tuple[str, ...]


def _intent(domain: str, weight: float, templates: str) -> Intent:
    return Intent(domain, weight, tuple(line.strip() for line in templates.strip().splitlines()))


# Slot type -> vocabulary. Several slots draw on one vocabulary: only the context tells them apart.
SLOTS: dict[str, str] = {
    "song": "title", "podcast": "title", "book": "title", "artist": "person", "author": "person",
    "playlist": "playlist", "rating": "count", "volume": "level",
    "room": "room", "light_colour": "colour", "brightness": "level", "temperature": "degrees", "appliance": "appliance",
    "alarm_time": "clock", "timer_length": "duration", "timer_name": "dish", "date": "date",
    "task": "chore", "reminder_time": "clock", "event": "event", "event_time": "clock", "attendee": "person",
    "contact": "person", "sender": "person", "message": "message",
    "from_city": "city", "to_city": "city", "hotel_city": "city", "nights": "count",
    "origin": "place", "destination": "place", "pickup_time": "clock", "weather_city": "city",
    "restaurant": "restaurant", "party_size": "count", "booking_time": "clock",
    "dish": "dish", "quantity": "count", "ingredient": "grocery", "item": "grocery", "list_name": "list",
    "shop": "shop", "amount": "amount", "payee": "person", "account": "account", "bill": "bill",
    "belonging": "belonging", "storage": "room", "word": "word", "language": "language",
}  # fmt: skip

INTENTS: dict[str, Intent] = {
    "play_song": _intent("audio", 5, """
        play {song} by {artist}
        play the song {song}
        put on {song}
        i want to hear {song} by {artist} in the {room}
        can you play something by {artist}
        start my {playlist} playlist with {song}
        play the song {song} not the audiobook
        i want the song {song} and not the podcast"""),
    "play_podcast": _intent("audio", 4, """
        play the latest episode of {podcast}
        play {podcast} from the beginning of the episode
        put on the podcast {podcast} in the {room}
        is there a new episode of {podcast} with {artist}
        start episode {quantity} of {podcast}
        play the podcast {podcast} not the song
        i want the podcast {podcast} and not the song"""),
    "play_audiobook": _intent("audio", 4, """
        read me {book} by {author}
        play {book} by {author}
        continue {book}
        read chapter {quantity} of {book}
        start the audiobook {book} in the {room}
        keep reading {book} by {author} for {timer_length}
        play the audiobook {book} not the song"""),
    "add_to_playlist": _intent("audio", 3, """
        add {song} to my {playlist} playlist
        put {song} by {artist} on {playlist}
        add this song by {artist} to {playlist}
        save {song} in the playlist {playlist}
        i want {song} on my {playlist} playlist"""),
    "rate_title": _intent("audio", 2, """
        give {book} {rating} stars
        rate the book {book} {rating} out of ten
        {book} by {author} gets {rating} stars from me
        i would give the song {song} {rating} points"""),
    "set_volume": _intent("audio", 2, """
        set the volume to {volume}
        turn it up to {volume}
        turn it down to {volume} in the {room}
        make the music louder in the {room}
        volume at {volume}
        {volume} is too loud turn {song} down"""),
    "lights_on": _intent("home", 3, """
        turn on the lights in the {room}
        lights on in the {room} at {brightness}
        make the {room} lights {light_colour}
        i need light in the {room}
        dim the lights in the {room} to {brightness}
        switch the {room} lights to {light_colour} at {brightness}
        turn on the lights in the {room} but leave the {appliance} off
        turn the lights on and the {appliance} stays off"""),
    "lights_off": _intent("home", 3, """
        turn off the lights in the {room}
        lights off in the {room} in {timer_length}
        make it dark in the {room}
        i am leaving the {room} so no lights for {timer_length}
        switch off every light but the one in the {room}
        turn off the lights in the {room} but leave the {appliance} on
        turn the lights off and the {appliance} stays on"""),
    "appliance_on": _intent("home", 2, """
        turn on the {appliance}
        start the {appliance} in the {room} in {timer_length}
        run the {appliance} for {timer_length}
        switch the {appliance} on {date}
        turn on the {appliance} in the {room} but leave the lights off
        turn the {appliance} on and the lights stay off"""),
    "appliance_off": _intent("home", 2, """
        turn off the {appliance}
        stop the {appliance} in {timer_length}
        the {appliance} in the {room} can go off in {timer_length}
        switch the {appliance} off {date}
        turn off the {appliance} in the {room} but leave the lights on
        turn the {appliance} off and the lights stay on"""),
    "set_thermostat": _intent("home", 3, """
        set the {room} to {temperature}
        turn it up to {temperature}
        turn it down to {temperature} in the {room}
        make it {temperature} in the {room} {date}
        i would like {temperature} in the {room} at {alarm_time}
        keep the heating at {temperature} for {timer_length}"""),
    "start_vacuum": _intent("home", 2, """
        vacuum the {room}
        start the vacuum in the {room} at {alarm_time}
        send the vacuum to the {room} for {timer_length}"""),
    "set_alarm": _intent("time", 4, """
        set an alarm for {alarm_time}
        wake me up at {alarm_time} {date}
        alarm at {alarm_time} {date}
        get me up at {alarm_time}
        i have to be up by {alarm_time} {date}
        make it an alarm for {alarm_time} not a reminder"""),
    "cancel_alarm": _intent("time", 2, """
        cancel the alarm at {alarm_time}
        no alarm {date}
        i do not have to get up at {alarm_time} {date}
        cancel the alarm but keep the timer for {timer_name}
        stop the alarm {date} and leave the timer on"""),
    "set_timer": _intent("time", 4, """
        set a timer for {timer_length}
        timer {timer_length} for the {timer_name}
        tell me when {timer_length} are over
        the {timer_name} needs {timer_length}
        count down {timer_length} for {timer_name}"""),
    "cancel_timer": _intent("time", 2, """
        cancel the timer for {timer_name}
        stop the {timer_length} timer
        the {timer_name} is done stop counting
        cancel the timer for {timer_name} but keep the alarm
        stop the timer {date} and leave the alarm on"""),
    "create_reminder": _intent("calendar", 5, """
        remind me to {task}
        remind me to {task} at {reminder_time} {date}
        i must not forget to {task} {date}
        at {reminder_time} tell me to {task}
        {date} i have to {task}
        make it a reminder for {reminder_time} not an alarm
        make a reminder instead of an event for the {event} {date}"""),
    "create_event": _intent("calendar", 4, """
        put {event} with {attendee} on the calendar {date}
        schedule a {event} {date} at {event_time}
        i have a {event} with {attendee} at {event_time}
        add {event} at {event_time} to my calendar
        meet {attendee} {date} at {event_time}
        make an event instead of a reminder for the {event} {date}"""),
    "query_calendar": _intent("calendar", 3, """
        what is on my calendar {date}
        when is the {event} with {attendee}
        am i free {date} at {event_time}
        do i have a {event} {date}
        what time do i meet {attendee} {date}"""),
    "call_contact": _intent("messages", 4, """
        call {contact}
        get me {contact} on the phone
        i need to talk to {contact}
        call {contact} about the {event}
        call {contact} about the message from {sender}
        call {contact} back and do not message {sender}"""),
    "send_message": _intent("messages", 5, """
        tell {contact} that {message}
        text {contact} {message}
        send {contact} a message saying {message}
        let {contact} know {message}
        message {contact} about the call from {sender}
        message {contact} back and do not call {sender}"""),
    "read_messages": _intent("messages", 2, """
        read me the messages from {sender}
        what did {sender} say about the {event}
        any news from {sender} {date}
        read what {sender} sent {date}"""),
    "book_flight": _intent("travel", 4, """
        book a flight from {from_city} to {to_city} {date}
        i need to fly to {to_city} from {from_city}
        find me a flight to {to_city} {date}
        get me from {from_city} to {to_city} by plane
        book the flight to {to_city} before the hotel in {hotel_city}"""),
    "book_hotel": _intent("travel", 3, """
        book a hotel in {hotel_city} for {nights} nights
        i need a room in {hotel_city} {date}
        find me a hotel in {hotel_city} {date}
        {nights} nights in {hotel_city} for {party_size} people
        book the hotel in {hotel_city} before the flight to {to_city}"""),
    "get_directions": _intent("travel", 4, """
        how do i get from {origin} to {destination}
        take me to {destination}
        what is the way to {destination} from {origin}
        directions to {destination} in {to_city}
        how long is the drive from {from_city} to {to_city}
        i need to be at {destination} at {event_time}"""),
    "book_taxi": _intent("travel", 3, """
        call me a taxi to {destination}
        i need a ride from {origin} to {destination} at {pickup_time}
        get me a car to {destination} {date}
        taxi for {party_size} people to {destination}
        pick me up at {origin} at {pickup_time}"""),
    "get_weather": _intent("weather", 4, """
        what is the weather in {weather_city} {date}
        will it rain {date} in {weather_city}
        do i need an umbrella in {weather_city}
        is it going to be sunny {date}
        weather for {weather_city} {date}"""),
    "ask_temperature": _intent("weather", 3, """
        how warm is it in {weather_city}
        will it be over {temperature} in {weather_city} {date}
        how cold will it get {date} in {weather_city}
        is it {temperature} in {weather_city} or in the {room}
        what is it like outside in {weather_city} {date}"""),
    "book_restaurant": _intent("food", 4, """
        book a table for {party_size} at {restaurant}
        reserve {restaurant} {date} at {booking_time}
        i need a table at {restaurant} at {booking_time} for {party_size}
        dinner for {party_size} at {restaurant} {date}
        can you get us into {restaurant} {date}"""),
    "order_food": _intent("food", 4, """
        order {quantity} {dish} from {restaurant}
        i want {dish} for {party_size} people
        get me {quantity} {dish} at {booking_time}
        order {dish} with {ingredient} instead of finding me a recipe"""),
    "find_recipe": _intent("food", 3, """
        find me a recipe for {dish}
        how do i make {dish} with {ingredient}
        what can i cook with {ingredient} and {ingredient} for {party_size} people
        i want to make {dish} for {party_size}
        find me a recipe for {dish} with {ingredient} instead of ordering it"""),
    "add_to_list": _intent("shopping", 4, """
        add {item} to the {list_name} list
        put {quantity} {item} on my list
        we are out of {item} and {item}
        i need {item} on the {list_name} list for {date}
        put {item} on the {list_name} list and do not order them"""),
    "buy_item": _intent("shopping", 3, """
        order {quantity} {item} from {shop}
        buy {item} at {shop}
        get me more {item} {date} from {shop}
        i want to buy {item} for {amount}
        order {item} and do not put them on the {list_name} list"""),
    "track_parcel": _intent("shopping", 3, """
        where is my order from {shop}
        when will the {item} from {shop} get here
        track the parcel with the {item}
        is the parcel from {shop} coming {date}"""),
    "transfer_money": _intent("banking", 5, """
        send {amount} to {payee}
        transfer {amount} from my {account} account to {payee}
        pay {payee} {amount} {date}
        move {amount} to the {account} account
        i owe {payee} {amount}"""),
    "check_balance": _intent("banking", 4, """
        how much money is in my {account} account
        do i have {amount} left in {account}
        what is the balance of the {account} account
        can i spend {amount} at {shop} {date}
        before you pay the {bill} bill tell me the balance of {account}"""),
    "pay_bill": _intent("banking", 4, """
        pay the {bill} bill from {account}
        pay {amount} for {bill}
        settle my {bill} bill {date}
        is the {bill} bill of {amount} paid if not pay it {date}
        before you tell me the balance of {account} pay the {bill} bill"""),
    "ask_agent": _intent("banking", 2, """
        let me talk to a person about my {account} account
        i need help with the {bill} bill
        is someone at the bank free {date}
        get me an agent for the {amount} payment to {payee}"""),
    "remember_fact": _intent("memory", 3, """
        remember that my {belonging} is in the {storage}
        i put the {belonging} in the {storage}
        my favourite dish is {dish}
        my favourite book is {book} by {author}
        the {belonging} belongs to {contact}"""),
    "translate_word": _intent("memory", 3, """
        what does {word} mean in {language}
        how do you say {message} in {language}
        translate {word} into {language}
        what is the {language} word for {word}"""),
}  # fmt: skip
